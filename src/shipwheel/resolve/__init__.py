"""Requests become exact files: wheels through uv, Debian packages through a verified index."""
