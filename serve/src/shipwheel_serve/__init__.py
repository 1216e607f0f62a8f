"""Serves a model over HTTP, and is ready only when its answers equal those of training."""

__version__ = "0.1.0"
