"""What is wrong with a machine, or with an image on it: facts in, findings out."""
