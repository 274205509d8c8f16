"""ScoreboardFile: save the scoreboards of a test in the run folder and print them."""

import json
import time
from pathlib import Path

import lightning as L

from trajvq.callbacks.datasets import dataset_of, folder_of_test
from trajvq.callbacks.protocols import HasScoreboards, task_name
from trajvq.io.files import write_text
from trajvq.metrics.scoreboard import scoreboard_content
from trajvq.report.table import print_scoreboard


class ScoreboardFile(L.Callback):
    """Write ``scoreboards/SPLIT.json`` and, with figures of single clips, ``SPLIT.npz``; print the table.

    A test on another dataset than that of the training writes ``scoreboards/DATASET/SPLIT.json`` instead.

    Args:
        checkpoint: The tested checkpoint, as the scoreboard names it.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        self.started = 0.0

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.started = time.monotonic()

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, HasScoreboards):
            return
        seconds = round(time.monotonic() - self.started, 1)
        folder = Path(trainer.default_root_dir) / "scoreboards" / folder_of_test(trainer)
        folder.mkdir(parents=True, exist_ok=True)
        contents = {}
        for split, board in pl_module.scoreboards.items():
            source = dataset_of(trainer)
            content = scoreboard_content(task_name(pl_module), split, seconds, self.checkpoint, board, source)
            path = folder / f"{split}.json"
            write_text(path, json.dumps(content, indent=1))
            if "details" in board:
                board["details"].save(path.with_suffix(".npz"))
            contents[path] = content
        for path, content in contents.items():  # at the end: all are saved even if printing fails
            print_scoreboard(content)
            print(f"scoreboard: {path}")
