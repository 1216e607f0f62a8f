"""The OCI image and distribution specifications as values and media; knows nothing of Python or ML."""
