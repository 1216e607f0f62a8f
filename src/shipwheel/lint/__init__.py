"""What is wrong in Dockerfiles and the files around them, for machine learning: found, explained, mended.

source      a file's text and the places in it
dockerfile  instructions and stages, as BuildKit reads them
shell       the commands of RUN, scripts, workflows and documents
subjects    the other files: ignore files, requirements, compose, Kubernetes, Python
workspace   which files there are, and which belong together
rules       one function a rule, over those subjects
linting     from paths to findings; fixing applies what is safe
"""
