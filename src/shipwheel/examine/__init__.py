"""What the bytes of the chosen wheels say: the system libraries that they need, the GPUs that they have code for."""

from shipwheel.examine.examining import examine
from shipwheel.examine.reader import Reader

__all__ = ["Reader", "examine"]
