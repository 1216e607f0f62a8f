"""Images with runc alone: unpacked layers under overlayfs, a supervisor process for each container, no daemon."""
