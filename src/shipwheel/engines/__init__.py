"""Docker, Podman and runc: what runs an image."""
