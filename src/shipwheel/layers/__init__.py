"""Files become trees, trees become layers."""
