"""The shipped rates have as many bits per clip as their names say, and train."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.conftest import Run
from trajvq.models import CausalTokenizer

CONFIGS = Path(__file__).parent.parent / "configs"
RATES = sorted((CONFIGS / "rates").glob("*.yaml"), key=lambda path: int(path.stem))


def settings(path: Path, part: str) -> dict[str, Any]:
    """Return the arguments of a part of the model in the task's config, overridden by those of a rate."""
    both = (yaml.safe_load(file.read_text())["model"]["init_args"] for file in (CONFIGS / "recon.yaml", path))
    default, rate = (config.get(part, {}).get("init_args", {}) for config in both)
    joined: dict[str, Any] = default | rate
    return joined


@pytest.mark.parametrize("path", RATES, ids=lambda path: path.stem)
def test_a_rate_has_the_bits_of_its_name(path: Path) -> None:
    tokenizer = CausalTokenizer(**settings(path, "tokenizer"))
    tokens = tokenizer.encode(torch.rand(1, 3, 16, 64, 64)).numel()
    assert tokens * math.log2(tokenizer.codebook_size) == pytest.approx(int(path.stem), rel=0.03)


@pytest.mark.parametrize("path", RATES, ids=lambda path: path.stem)
def test_windows_divide_into_tokens(path: Path) -> None:
    frames, rows, columns = settings(path, "tokenizer")["strides"]
    windows = settings(path, "augment")
    assert windows["frames"] % frames == windows["size"] % rows == windows["size"] % columns == 0


@pytest.mark.parametrize("path", RATES, ids=lambda path: path.stem)
def test_a_rate_trains(fit: Run, path: Path) -> None:
    frames, *area = settings(path, "tokenizer")["strides"]
    strides = [min(frames, 8), *area]  # the small clips have 8 frames
    assert fit(f"--config=rates/{path.stem}", f"--model.tokenizer.strides={strides}") == 0
