"""Shipwheel: containers for machine learning, from locked inputs, without a daemon or a Dockerfile."""

__version__ = "0.1.0"
