"""Dockerfiles: `parse` reads instructions as BuildKit does, `stages` makes of them what each stage inherits and knows."""
