"""RemoteMirror: a copy of the run in any store, brought up to date in the background."""

import os
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_warn

from trajvq.io.urls import check_url
from trajvq.runs.folder import COMPLETE
from trajvq.runs.mirror import BEFORE, NAMES, mirrored, run_url
from trajvq.runs.uploads import Uploads, Version


class RemoteMirror(L.Callback):
    """Mirrors checkpoints, config, ``metrics.csv``, origin and scoreboards to ``URL/TASK/RUN``.

    New checkpoints are noticed after each step and validation, at the cost of looking into a folder, and are
    uploaded and read back by one thread; a step never waits for it. Where the store fails the run goes on, with one
    warning a file. ``trajvq fit --run NAME`` with the same URL continues the run on another machine.

    In a trainer's list it comes after the callbacks that write what it mirrors.

    Args:
        url: Any fsspec URL, such as ``s3://bucket/prefix``; None mirrors nothing. Credentials come from the
            environment or from the store's own configuration, never from the URL.
        drain_seconds: How long the end of a run waits for what is not uploaded yet.
    """

    def __init__(self, url: str | None = None, drain_seconds: float = 60.0) -> None:
        if drain_seconds < 0:
            raise ValueError(f"drain_seconds is {drain_seconds}; it must be 0 or more")
        self.url = None if url is None else check_url(url)
        self.drain_seconds = drain_seconds
        self.run, self.stage = Path(), ""
        self.uploads: Uploads | None = None
        self._seen: dict[str, Version] = {}
        self._left: dict[str, str] = {}

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.url is None or not trainer.is_global_zero or stage not in ("fit", "test") or self.uploads:
            return
        self.run, self.stage = Path(trainer.default_root_dir).resolve(), stage
        self._start()

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self._notice()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._notice()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.close()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self.close()

    def close(self) -> None:
        """Hand over everything, wait for it at most ``drain_seconds``, and say what is not mirrored."""
        if self.uploads is not None:
            names = [name for name in mirrored(self.run) if name != COMPLETE]
            self._end([name for name in names if self.stage == "fit" or name.startswith("scoreboards/")])

    def complete(self) -> None:
        """Mirror ``complete.json``, the last file of a finished run, unless something else is not mirrored."""
        if self.url is not None and self.run != Path() and not self._left:
            self._start()
            self._end([COMPLETE])

    def _start(self) -> None:
        assert self.url is not None
        self.uploads = Uploads(self.run, run_url(self.url, self.run), self._seen)

    def _end(self, names: list[str]) -> None:
        uploads, self.uploads = self.uploads, None
        assert uploads is not None
        for name in names:
            uploads.take(name)
        self._left = uploads.drain(self.drain_seconds)
        uploads.stop()
        if self._left:
            reasons = "; ".join(dict.fromkeys(self._left.values()))
            rank_zero_warn(f"mirror: not mirrored to {uploads.place}: {', '.join(sorted(self._left))} ({reasons})")

    def _notice(self) -> None:
        """Hand over checkpoints that changed, and with them the small files as they are now."""
        if self.uploads is None:
            return
        try:
            with os.scandir(self.run / "checkpoints") as entries:
                names = [f"checkpoints/{entry.name}" for entry in entries if entry.is_file()]
        except FileNotFoundError:
            return  # there is no checkpoint yet
        changed = [self.uploads.take(name) for name in names if name != BEFORE and NAMES.fullmatch(name)]
        if any(changed):
            for name in mirrored(self.run):
                if name != COMPLETE:
                    self.uploads.take(name)
