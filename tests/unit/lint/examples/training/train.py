"""Trains; see config.yaml."""

import argparse
from pathlib import Path

import torch
import yaml
from images import Images
from torch.utils.data import DataLoader


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    config = yaml.safe_load(parser.parse_args().config.read_text())
    torch.distributed.init_process_group("nccl")
    loader = DataLoader(Images("/data"), batch_size=config["batch"], num_workers=8, pin_memory=True)
    for batch in loader:
        print(batch.shape)


if __name__ == "__main__":
    main()
