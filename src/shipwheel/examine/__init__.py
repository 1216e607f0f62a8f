"""What the bytes of the chosen wheels say: the system libraries that they need, the GPUs that they have code for."""

from shipwheel.examine.examiner import Examiner

__all__ = ["Examiner"]
