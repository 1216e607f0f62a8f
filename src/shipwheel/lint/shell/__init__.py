"""Commands: of RUN, of scripts, workflows and documents, and what well-known ones do."""
