from pathlib import Path

import torch
from torch.utils.data import Dataset


class Images(Dataset):
    def __init__(self, folder: str) -> None:
        self.files = sorted(Path(folder).glob("*.pt"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> torch.Tensor:
        return torch.load(self.files[number], weights_only=True)
