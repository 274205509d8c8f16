"""Predictions replace an earlier file when they are complete, and not before."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import pytest
import torch

from trajvq.callbacks import PredictionFile
from trajvq.errors import UserError
from trajvq.io import hdf5


def predict(run: Path, error: BaseException | None = None, value: int = 0) -> None:
    """Write two batches, or fail before the second, as a trainer does."""
    callback, module = PredictionFile(), torch.nn.Identity()
    trainer: Any = SimpleNamespace(default_root_dir=run, global_rank=0, world_size=1)
    task: Any = module
    try:
        callback.on_predict_start(trainer, task)
        for batch in range(2):
            if batch and error is not None:
                raise error
            callback.write_on_batch_end(trainer, task, {"index": torch.full((3,), value)}, None, None, batch, 0)
        callback.on_predict_end(trainer, task)
    except BaseException as exception:
        callback.on_exception(trainer, task, exception)
        raise


def stored(run: Path) -> list[int]:
    assert [path.name for path in run.iterdir()] == ["predictions.h5"]
    with h5py.File(run / "predictions.h5") as file:
        return [int(number) for number in file["index"]]


def test_an_interrupted_prediction_leaves_the_earlier_file(tmp_path: Path) -> None:
    predict(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path, KeyboardInterrupt(), 1)
    assert stored(tmp_path) == [0] * 6
    predict(tmp_path, value=1)
    assert stored(tmp_path) == [1] * 6


def test_a_full_disk_is_one_line_and_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    predict(tmp_path)
    monkeypatch.setattr(hdf5.HDF5Output, "check", full)
    with pytest.raises(UserError, match=r"^cannot write .*predictions.h5: No space left on device; free disk space"):
        predict(tmp_path, value=1)
    assert stored(tmp_path) == [0] * 6
