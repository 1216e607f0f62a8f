"""Command lines: parse, call, print; the only place that reads the environment and the current folder."""
