// The kernel is left out of this example.
