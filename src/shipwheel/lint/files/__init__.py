"""The files beside Dockerfiles: what each holds, with the place of everything."""
