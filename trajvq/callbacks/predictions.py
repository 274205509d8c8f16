"""PredictionFile: write the predictions of a model as clips that ``trajvq score`` reads."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import lightning as L
import numpy as np
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from trajvq.errors import UserError
from trajvq.io.files import whole_file, writing
from trajvq.io.hdf5 import HDF5Output
from trajvq.io.video import to_uint8

REMEDY = "free disk space or set its permissions"


class PredictionFile(BasePredictionWriter):
    """Append every batch to ``predictions.h5`` in the run folder, which replaces an earlier one when it is complete.

    ``predict_step`` returns a dictionary of tensors with one entry per clip. The file has a dataset for each; ``video``
    is stored as uint8 ``(N, T, 3, H, W)``, which ``predict_step`` may return instead of float ``(B, 3, T, H, W)``. Of
    several processes each writes its own file ``predictions-RANK.h5``.
    """

    def __init__(self) -> None:
        super().__init__(write_interval="batch")
        self.output: HDF5Output | None = None
        self._contexts = ExitStack()  # of the output

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        run = Path(trainer.default_root_dir)
        suffix = f"-{trainer.global_rank}" if trainer.world_size > 1 else ""
        self.path = run / f"predictions{suffix}.h5"
        with writing(self.path, REMEDY):  # it creates the folder, which a checkpoint from elsewhere may lack
            self.output = self._contexts.enter_context(HDF5Output(self._contexts.enter_context(whole_file(self.path))))
        size = getattr(getattr(pl_module, "tokenizer", None), "codebook_size", None)
        if size is not None:
            self.output.file.attrs["codebook_size"] = size

    def write_on_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        prediction: Mapping[str, Tensor],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Append a batch.

        Raises:
            UserError: If the task predicts anything but a dictionary, or the file cannot be written.
        """
        if not isinstance(prediction, Mapping):
            raise UserError(
                f"{type(pl_module).__name__}.predict_step returns {type(prediction).__name__}, which PredictionFile "
                "cannot write; return a dictionary of tensors"
            )
        assert self.output is not None
        with writing(self.path, REMEDY):
            try:
                _append(self.output.file, prediction)
            finally:
                self.output.check()

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        with writing(self.path, REMEDY):
            self._contexts.close()
        print(f"predictions: {self.path}")

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Remove the incomplete file; an earlier one stays."""
        with suppress(OSError):
            self._contexts.__exit__(type(exception), exception, exception.__traceback__)


def _append(file: h5py.File, prediction: Mapping[str, Tensor]) -> None:
    """Append a batch to the dataset of each name."""
    for name, value in prediction.items():
        floats = name == "video" and value.is_floating_point()
        array: np.ndarray[Any, Any] = to_uint8(value) if floats else value.cpu().numpy()
        if name not in file:
            file.create_dataset(
                name,
                (0, *array.shape[1:]),
                array.dtype,
                maxshape=(None, *array.shape[1:]),
                chunks=(1 if array.ndim > 1 else 1024, *array.shape[1:]),
                **hdf5plugin.Zstd(clevel=1),
            )
        stored = file[name]
        stored.resize(len(stored) + len(array), axis=0)
        stored[-len(array) :] = array
