"""ScoreboardFile: write what ``test`` found beside the checkpoint, and print it."""

import json
import time
from pathlib import Path

import lightning as L

from trajvq.io.files import write_text
from trajvq.metrics.scoreboard import written
from trajvq.report.table import print_scoreboard


class ScoreboardFile(L.Callback):
    """Writes ``scoreboards/SPLIT.json`` into the run folder, ``SPLIT.npz`` with single clips, and prints the table.

    Args:
        run: The run folder.
        checkpoint: The checkpoint tested, as named in the scoreboard.
    """

    def __init__(self, run: Path, checkpoint: str) -> None:
        self.run, self.checkpoint = run, checkpoint
        self.started = 0.0

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.started = time.monotonic()

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        seconds = round(time.monotonic() - self.started, 1)
        folder = self.run / "scoreboards"
        folder.mkdir(parents=True, exist_ok=True)
        for split, found in pl_module.scoreboards.items():  # type: ignore[union-attr, operator]
            board = written(str(pl_module.task), split, seconds, self.checkpoint, found)
            path = folder / f"{split}.json"
            write_text(path, json.dumps(board, indent=1))
            if "details" in found:
                found["details"].save(path.with_suffix(".npz"))
            print_scoreboard(board)
            print(f"scoreboard: {path}")
