"""One module a topic; each holds its rules as `Rule` values, with the checks below them."""
