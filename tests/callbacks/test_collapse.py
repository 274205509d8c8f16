"""The watch tells the ways of collapsing apart."""

import pytest
import torch

from trajvq.callbacks import CollapseWatch


@pytest.mark.parametrize(
    ("made", "found", "words"),
    [
        (torch.full((2, 3, 8, 8, 8), 3.0), {"val/visible": 0.0, "val/codes_used": 9.0}, "wrong range"),
        (torch.full((2, 3, 8, 8, 8), torch.nan), {}, "wrong range"),
        (torch.ones(2, 3, 8, 8, 8), {"val/visible": 0.0, "val/codes_used": 1.0}, "one code"),
        (torch.ones(2, 3, 8, 8, 8), {"val/visible": 0.0, "val/codes_used": 9.0}, "blank"),
        (torch.rand(2, 3, 1, 8, 8).expand(-1, -1, 8, -1, -1), {"val/visible": 0.9, "val/codes_used": 9.0}, "static"),
    ],
)
def test_faults_are_named(made: torch.Tensor, found: dict[str, float], words: str) -> None:
    watch = CollapseWatch()
    outputs = {"reconstruction": made, "video": torch.rand(2, 3, 8, 8, 8)}
    watch.on_validation_batch_end(None, None, outputs, None, 0)  # type: ignore[arg-type]
    assert words in watch.fault(found)
