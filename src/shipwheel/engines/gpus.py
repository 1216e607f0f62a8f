"""`Gpus`: which GPUs a container gets, as a value; and `--gpus` parsed into it."""

from __future__ import annotations

from dataclasses import dataclass

from shipwheel.errors import UsageError
from shipwheel.project.rules import gpu_selection

NVIDIA = "nvidia.com/gpu"
AMD = "amd.com/gpu"
"""Kinds of devices, as the Container Device Interface calls them: the makers' toolkits write their specifications so."""

SPECIFY = {
    NVIDIA: "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    AMD: "sudo amd-ctk cdi generate --output=/etc/cdi/amd.json",
}
"""What writes the specifications of a kind, as its maker's documentation has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """The first `count` GPUs, or those in `devices` (indices and UUIDs), or all where neither is given."""

    count: int = 0
    devices: tuple[str, ...] = ()
    kind: str = NVIDIA

    @classmethod
    def parse(cls, text: str) -> Gpus | None:
        """`all`, how many, `device=0,2`, a UUID; None for `none`.

        Raises:
            UsageError: not of that form.
        """
        try:
            chosen = gpu_selection(text)
        except ValueError as error:
            what, _, hint = str(error).partition("; ")
            raise UsageError(f"--gpus: {what}", hint=hint) from None
        if chosen == "none":
            return None
        if chosen == "all" or chosen.isdigit():
            return cls(count=0 if chosen == "all" else int(chosen))
        return cls(devices=tuple(chosen.removeprefix("device=").split(",")))

    @property
    def selects(self) -> bool:
        """Only some of the machine's: inside, these are numbered anew from 0."""
        return bool(self.count or self.devices)

    @property
    def names(self) -> tuple[str, ...]:
        """Qualified names of the Container Device Interface; of a count those that NVIDIA's toolkit gives: indices from 0."""
        chosen = self.devices or tuple(map(str, range(self.count))) or ("all",)
        return tuple(f"{self.kind}={name}" for name in chosen)

    def __str__(self) -> str:
        return f"device={','.join(self.devices)}" if self.devices else str(self.count or "all")
