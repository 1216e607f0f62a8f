"""What containers run, where it listens, and how its health is asked."""
