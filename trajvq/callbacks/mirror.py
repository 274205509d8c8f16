"""RemoteMirror: keep a copy of a run in a remote store, updated in the background."""

import os
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities import rank_zero_warn

from trajvq.io.urls import check_url
from trajvq.runs.folder import COMPLETE
from trajvq.runs.mirror import BEFORE, NAMES, mirrored, run_url
from trajvq.runs.uploads import Uploads, Version


class RemoteMirror(Checkpoint):
    """Mirror checkpoints, config, ``metrics.csv``, provenance and scoreboards to ``URL/TASK/RUN``.

    After each step and validation it lists the checkpoint folder. One thread uploads what is new and reads it back; a
    training step never waits for it. If the store fails, the run continues with one warning per file.
    ``trajvq fit --run NAME`` with the same URL continues the run on another machine.

    It is a `Checkpoint` because Lightning runs those after all other callbacks, also after the ones that a task adds.
    It must come last among them, since it uploads what they wrote.

    Args:
        url: Any fsspec URL, such as ``s3://bucket/prefix``. None mirrors nothing. Credentials come from the
            environment or from the store's own configuration, never from the URL.
        drain_seconds: Seconds that the end of a run waits for unfinished uploads.
    """

    def __init__(self, url: str | None = None, drain_seconds: float = 60.0) -> None:
        if drain_seconds < 0:
            raise ValueError(f"drain_seconds is {drain_seconds}; it must be 0 or more")
        self.url = None if url is None else check_url(url)
        self.drain_seconds = drain_seconds
        self.run, self.stage = Path(), ""
        self.uploads: Uploads | None = None
        self._versions: dict[str, Version] = {}
        self._missing: dict[str, str] = {}  # by file, why it is not mirrored

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.url is None or not trainer.is_global_zero or stage not in ("fit", "test") or self.uploads:
            return
        self.run, self.stage = Path(trainer.default_root_dir).resolve(), stage
        self._start()

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self._queue()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._queue()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.close()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self.close()

    def close(self) -> None:
        """Queue everything, wait for at most ``drain_seconds`` and warn of the files that are not mirrored."""
        if self.uploads is not None:
            names = [name for name in mirrored(self.run) if name != COMPLETE]
            self._end([name for name in names if self.stage == "fit" or name.startswith("scoreboards/")])

    def complete(self) -> None:
        """Mirror ``complete.json``, the last file of a finished run, unless another file is not mirrored."""
        if self.url is not None and self.run != Path() and not self._missing:
            self._start()
            self._end([COMPLETE])

    def _start(self) -> None:
        assert self.url is not None
        self.uploads = Uploads(self.run, run_url(self.url, self.run), self._versions)

    def _end(self, names: list[str]) -> None:
        uploads, self.uploads = self.uploads, None
        assert uploads is not None
        for name in names:
            uploads.take(name)
        self._missing = uploads.drain(self.drain_seconds)
        uploads.stop()
        if self._missing:
            reasons = "; ".join(dict.fromkeys(self._missing.values()))
            rank_zero_warn(f"mirror: not mirrored to {uploads.url}: {', '.join(sorted(self._missing))} ({reasons})")

    def _queue(self) -> None:
        """Queue the checkpoints that changed and, if there are any, all small files."""
        if self.uploads is None:
            return
        try:
            with os.scandir(self.run / "checkpoints") as entries:
                names = [f"checkpoints/{entry.name}" for entry in entries if entry.is_file()]
        except FileNotFoundError:
            return  # no checkpoint yet
        changed = [self.uploads.take(name) for name in names if name != BEFORE and NAMES.fullmatch(name)]
        if any(changed):
            for name in mirrored(self.run):
                if name != COMPLETE:
                    self.uploads.take(name)
