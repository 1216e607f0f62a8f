"""What the files of a context have to do with the image: what is copied, needed, and where it came from."""
