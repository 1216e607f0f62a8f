"""Images by their names: what well-known ones hold, when they end, which ones the linted files build."""
