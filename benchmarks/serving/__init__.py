"""What `make bench-serve` compares, and how it loads, measures and tells it.

contenders.py    every row of the tables: a server, how it is started and asked
servers/         the servers themselves, one file each, as its own guide would have it written
inputs.py        models, requests and right answers; runs in the runtime's environment
places.py        virtual environments, one a contender
load.py          a server's life, wrk, CPU time of a process tree
tables.py        the results as Markdown
"""
