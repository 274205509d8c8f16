"""Which dataset a command reads, and where what it measured on it goes in the run folder."""

from pathlib import Path

import lightning as L

from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.io.checkpoint import read_checkpoint
from trajvq.runs.boards import board_folder


def dataset_of(trainer: L.Trainer) -> dict[str, str] | None:
    """Return ``path`` or URL and ``sha256`` of the manifest of the trainer's dataset; None for data of another kind."""
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, TrajectoryDataModule):
        return None
    return {"path": str(data.url or data.path), "sha256": data.manifest.sha256}


def folder_of_test(trainer: L.Trainer) -> str:
    """Return the folder of a test below ``scoreboards`` and ``media``; empty for the dataset of the training.

    A checkpoint that does not say which dataset it was trained on was trained on the one at hand.
    """
    dataset, path = dataset_of(trainer), trainer.ckpt_path
    if dataset is None or path is None:
        return ""
    own = read_checkpoint(str(path)).get("trajvq", {}).get("dataset")
    if own in (None, dataset["sha256"]):
        return ""
    return board_folder(Path(trainer.default_root_dir) / "scoreboards", dataset)
