"""The measurement of a GPU, at toy size on the CPU."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.scripts import load


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("gpu/measure.py", monkeypatch)


class Parts:
    def good(self) -> dict[str, Any]:
        """Goes well."""
        return {"train": 2.0, "kernels": [{"kernel": "mm", "share": 0.5}]}

    def bad(self) -> dict[str, Any]:
        """Fails."""
        raise RuntimeError("out of memory\nand more")


def test_a_part_that_fails_does_not_lose_the_others(measure: ModuleType) -> None:
    results = measure.run_parts(["bad", "good"], Parts(), 1.0)
    assert results["bad"]["error"] == "RuntimeError: out of memory"
    lines = dict(measure.lines_of(results))
    assert lines["good · train"] == "2"
    assert lines["good · kernels 1 · share"] == "0.5"


def test_no_part_starts_after_the_time_is_over(measure: ModuleType) -> None:
    results = measure.run_parts(["good"], Parts(), -1.0)
    assert results["good"] == {"left_out": "no time left of -1 minutes"}


def test_without_a_card_nothing_is_measured(measure: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert measure.main([]) == 2


def test_speed_profile_and_tokens_are_measured(measure: ModuleType, tmp_path: Path) -> None:
    measurement = measure.Measurement(tmp_path, toy=True)
    results = measure.run_parts(["speed", "profile", "tokens"], measurement, 5.0)
    row = results["speed"]["bf16"]
    assert min(row["train_clips_per_s"], row["encode_clips_per_s"], row["decode_clips_per_s"]) > 0
    assert 0 < row["share_of_peak"] < 1
    assert len(results["profile"]["kernels"]) == 10
    assert 0 <= results["profile"]["host_share"] < 1
    tokens = results["tokens"]
    assert tokens["same_tokens"] == 1
    assert tokens["largest_difference_of_pixels"] == 0
    assert tokens["decode_encode_is_the_reconstruction"]
    assert tokens["causal"]
