"""Fixes: edits of text that change nothing else, and rounds of them."""
