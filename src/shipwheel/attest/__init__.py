"""What an image is made of and how it was made: SBOMs, provenance, signatures, attached to it in its registry."""
