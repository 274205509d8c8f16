"""The checkpoint that a run continues from."""

from pathlib import Path

import pytest
import torch

from trajvq.io.checkpoint import OldCheckpointError
from trajvq.runs.checkpoints import BEFORE, LAST, newest_whole


def test_checkpoints_of_an_older_trajvq_are_refused_and_stay(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in (LAST, BEFORE):
        torch.save({"state_dict": {}, "made_for": {}}, tmp_path / "checkpoints" / name)
    with pytest.raises(OldCheckpointError, match="last.ckpt was written by an older trajvq: train it again"):
        newest_whole(tmp_path)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [BEFORE, LAST]
