"""Generate dataset folders: by whole shards, in parallel, and from where it stopped.

A worker owns a shard from the first draw to the rename, so shards do not depend on the number of
workers. ``progress.json`` names the finished ones; the manifest is written last.
"""

import fcntl
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn

from trajvq.data.storage.shards import MANIFEST, PROGRESS, DataError, Manifest, read_manifest, write_whole
from trajvq.data.synthetic.plan import Plan, Shard, import_plugins, make_plan
from trajvq.data.synthetic.workers import interruptible, make_all
from trajvq.io.files import file_sha256

LOCK = ".lock"


class Interrupted(DataError):
    """The user stopped it; what is finished is kept."""

    exit_code = 130


def generate(
    out: Path,
    clips: Mapping[str, int] | None = None,
    seed: int | None = None,
    preset: str = "default",
    frames: int = 16,
    size: int = 64,
    workers: int = 1,
    force: bool = False,
    plugins: Sequence[str] = (),
    progress: bool = True,
) -> Manifest:
    """Generate a dataset folder, or go on with one that was interrupted.

    Args:
        out: The folder; made if it is not there.
        clips: Clips by split; splits left out take the preset's number, and 0 leaves a split out.
        seed: Every clip depends on it, its split and its index alone; 0, or the preset's own.
        preset: A name in `trajvq.data.synthetic.presets.PRESETS`.
        frames: Frames a clip.
        size: Height and width in pixels.
        workers: Processes; with 1 everything happens in this one. The dataset is the same whatever their number.
        force: Start over, removing the dataset or the finished shards of another plan in this folder.
        plugins: Modules to import first, which register families, looks or presets of one's own.
        progress: Show a progress bar where there is a terminal.

    Returns:
        The manifest.

    Raises:
        DataError: If a setting is wrong, or the folder holds something else or cannot be written.
        Interrupted: After Ctrl-C; what is finished is kept, and the same call goes on with it.
    """
    import_plugins(plugins)
    plan = make_plan(preset, seed, clips or {}, frames, size, plugins)
    if workers < 1:
        raise DataError(f"{workers} workers cannot make a dataset; give 1 or more")
    with _claimed(out, plan, force) as done:
        if (out / MANIFEST).exists():
            return read_manifest(out)
        report = _Report(out, plan, done)
        with Progress(
            BarColumn(),
            TextColumn("{task.description}"),
            transient=True,
            disable=not (progress and sys.stdout.isatty()),
        ) as bar:
            task = bar.add_task(report.line(), total=report.total, completed=report.made)

            rest = [shard for shard in plan.shards() if shard.file not in done]
            with interruptible() as check:

                def finished(shard: Shard, entry: dict[str, Any]) -> None:
                    report.add(shard, entry)
                    bar.update(task, completed=report.made, description=report.line())
                    check()

                make_all(out, plan, rest, min(workers, len(rest)), finished)
        manifest = plan.manifest()
        for shard in plan.shards():
            manifest.splits.setdefault(shard.split, []).append(done[shard.file])
        manifest.write(out)
        report.write()
    return manifest


@contextmanager
def _claimed(out: Path, plan: Plan, force: bool) -> Iterator[dict[str, dict[str, Any]]]:
    """Hold the folder for this process alone; give the entries of the shards that are finished."""
    created = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / MANIFEST).exists() and not (out / PROGRESS).exists() and _foreign(out):
            raise DataError(f"{out} already exists and is not empty; choose another --out")
        lock = (out / LOCK).open("w")
    except OSError as error:
        raise DataError(f"cannot write a dataset to {out}: {error.strerror}; choose another --out") from None
    done: dict[str, dict[str, Any]] = {}
    ours = False  # until the folder is known to hold this plan, nothing in it is touched
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"another process is generating into {out}; wait for it or choose another --out") from None
        try:
            if force:
                _remove(out)
            done.update(_finished(out, plan))
            ours = True
            yield done
        except OSError as error:
            raise DataError(f"cannot write {out}: {error.strerror or error}; {_kept(out, plan, done)}") from None
        except ValueError as error:
            raise DataError(str(error)) from None
        except BrokenProcessPool:
            raise DataError(
                f"a worker died, perhaps for lack of memory; {_kept(out, plan, done)}, with fewer --workers"
            ) from None
        except KeyboardInterrupt:
            raise Interrupted(f"stopped; {_kept(out, plan, done)}") from None
        finally:
            (out / LOCK).unlink(missing_ok=True)
            for left in out.glob(".*.partial"):
                left.unlink()
            if ours and not done and not (out / MANIFEST).exists():
                _remove(out)
                if created:
                    out.rmdir()


def _foreign(out: Path) -> bool:
    return not out.is_dir() or any(path.name != LOCK and not path.name.endswith(".partial") for path in out.iterdir())


def _kept(out: Path, plan: Plan, done: Mapping[str, Any]) -> str:
    return f"{len(done)} of {len(plan.shards())} shards are kept in {out}; the same command goes on"


def _remove(out: Path) -> None:
    """Remove a dataset's own files, and nothing else."""
    (out / MANIFEST).unlink(missing_ok=True)
    (out / PROGRESS).unlink(missing_ok=True)
    for path in out.glob("*-[0-9][0-9][0-9][0-9][0-9].h5"):
        path.unlink()


def _finished(out: Path, plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the entries of finished shards in a folder of the same plan; none where the folder is new.

    Raises:
        DataError: If the folder holds another plan's clips.
    """
    path = out / PROGRESS
    if not path.exists():
        if (out / MANIFEST).exists():
            raise DataError(f"{out} already holds a dataset from elsewhere; choose another --out, or --force")
        return {}
    try:
        content = json.loads(path.read_text())
        other, entries = content["plan"], content["shards"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path} cannot be read; start over with --force") from None
    different = plan.differences(other)
    if different:
        raise DataError(
            f"{out} holds clips of {'; '.join(different)}; choose another --out, or start over with --force"
        )
    kept = {}
    for shard in plan.shards():
        entry, file = entries.get(shard.file), out / shard.file
        if entry and file.is_file() and file.stat().st_size == entry["bytes"] and file_sha256(file) == entry["sha256"]:
            kept[shard.file] = entry
    if len(kept) < len(plan.shards()):
        (out / MANIFEST).unlink(missing_ok=True)
    return kept


class _Report:
    """How far it is: for the progress bar, and for ``progress.json``, which names the finished shards."""

    def __init__(self, out: Path, plan: Plan, done: dict[str, dict[str, Any]]) -> None:
        self.out, self.plan, self.done = out, plan, done
        self.total = sum(plan.clips.values())
        self.kept, self.start = self.made, time.monotonic()
        if not (out / MANIFEST).exists():
            self.write()

    @property
    def made(self) -> int:
        """Clips that are finished."""
        return sum(entry["clips"] for entry in self.done.values())

    def add(self, shard: Shard, entry: dict[str, Any]) -> None:
        """Note a finished shard."""
        self.done[shard.file] = entry
        self.write()

    def line(self) -> str:
        """Say in a line how far it is."""
        seconds, made = time.monotonic() - self.start, self.made
        rate = (made - self.kept) / seconds if made > self.kept else 0.0
        text = f"{made:,} of {self.total:,} clips"
        if made == self.total:
            return f"{text}, finished"
        return f"{text}, {rate:,.0f} clips/s, {(self.total - made) / rate:,.0f} s left" if rate else text

    def write(self) -> None:
        """Write ``progress.json`` whole or not at all."""
        content = {"line": self.line(), "made": self.made, "clips": self.total}
        write_whole(self.out / PROGRESS, {**content, "plan": self.plan.as_json(), "shards": self.done})
