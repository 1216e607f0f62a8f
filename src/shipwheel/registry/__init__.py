"""Registries: images go there and come from there, and layers are shared through them (OCI distribution-spec 1.1)."""
