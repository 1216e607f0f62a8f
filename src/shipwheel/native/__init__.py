"""What the native code of wheels needs of the system below it, and which Debian packages give that."""
