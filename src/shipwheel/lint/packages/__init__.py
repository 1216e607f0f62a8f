"""What is installed: by which command or file, from where, and what is surely missing."""
