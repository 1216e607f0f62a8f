"""For all tests: Hypothesis without deadlines, as a loaded machine is no bug; Ctrl-C that reaches the processes they start."""

import signal

from hypothesis import settings

settings.register_profile("shipwheel", deadline=None, print_blob=True)
settings.load_profile("shipwheel")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would its children
