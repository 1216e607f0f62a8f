"""What is wrong in Dockerfiles and the files around them, for machine learning: found, explained, mended.

source, word  a file's text, and exact places in it
dockerfile/   instructions and stages, as BuildKit reads them
shell/        the commands of RUN, of scripts, workflows and documents
files/        the other files: ignore files, requirements, compose files, manifests, scripts, Python
opening       which files there are, and which belong together (workspace)
context/      what is copied out of a context, and needed
packages/     what is installed, by which command or file
images/       what well-known images hold, and when they end
serving/      what containers run, and where it listens
rules/        one module a topic; each rule a value with its checks below
linting       from paths to findings, without those that comments take back (suppress)
edits/        fixes, and rounds of them
report/       findings as text, JSON, SARIF and annotations
carry/        from a Dockerfile to the settings of Shipwheel
"""
