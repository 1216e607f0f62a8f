"""For all tests: Hypothesis without deadlines, as a loaded machine is no bug."""

from hypothesis import settings

settings.register_profile("shipwheel", deadline=None, print_blob=True)
settings.load_profile("shipwheel")
