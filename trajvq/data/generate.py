"""Generate dataset folders: by whole shards, in parallel, and from where it stopped.

A worker owns a shard from the first draw to the rename, so shards do not depend on the number of
workers. ``progress.json`` names the finished ones; the manifest is written last.
"""

import fcntl
import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn

from trajvq.data.camera import COLUMNS
from trajvq.data.motion import FAMILIES
from trajvq.data.presets import Preset, preset_named
from trajvq.data.ranges import LOOK
from trajvq.data.scene import draw, lay_out
from trajvq.data.store import (
    MANIFEST,
    PROGRESS,
    SHARD,
    VERSION,
    DataError,
    Manifest,
    file_sha256,
    read_manifest,
    shard_name,
    write_shard,
    write_whole,
)

LOCK = ".lock"


class Interrupted(DataError):
    """The user stopped it; what is finished is kept."""

    exit_code = 130


@dataclass(frozen=True)
class Plan:
    """All that a dataset follows from.

    Attributes:
        preset: Name of a preset.
        seed: Every clip depends on it, its split and its index alone.
        clips: Clips by split.
        frames: Frames a clip.
        size: Height and width in pixels.
        families: Names of the motion families, in the order of their labels.
        plugins: Modules that register families, looks or presets of one's own.
        shard: Clips a shard.
        version: Of the store.
    """

    preset: str
    seed: int
    clips: Mapping[str, int]
    frames: int
    size: int
    families: tuple[str, ...]
    plugins: tuple[str, ...] = ()
    shard: int = SHARD
    version: int = VERSION

    def shards(self) -> list["Shard"]:
        """Return the shards to make."""
        return [
            Shard(split, number, start, min(start + self.shard, count))
            for split, count in self.clips.items()
            for number, start in enumerate(range(0, count, self.shard))
        ]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON gives it back."""
        return dict(json.loads(json.dumps(asdict(self))))

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Say what differs from another plan, as `as_json` gives it."""
        mine = self.as_json()
        return [f"{name} {other.get(name)} (asked for: {mine[name]})" for name in mine if mine[name] != other.get(name)]

    def manifest(self) -> Manifest:
        """Return the manifest of a dataset with no shard yet."""
        preset = preset_named(self.preset)
        look = preset.make_look()
        return Manifest(
            preset=self.preset,
            seed=self.seed,
            frames=self.frames,
            height=self.size,
            width=self.size,
            classes=list(self.families),
            columns={"camera": COLUMNS, "params": {motion.name: motion.parameters() for motion in FAMILIES}},
            ranges={
                "look": {name: asdict(span) for name, span in (LOOK | look.ranges).items()},
                "motion": {m.name: {name: asdict(span) for name, span in m.ranges.items()} for m in FAMILIES},
                "splits": {
                    split: [{name: [list(part) for part in parts] for name, parts in region.items()} for region in of]
                    for split, of in preset.regions.items()
                },
            },
        )


@dataclass(frozen=True)
class Shard:
    """Clips ``start`` to ``stop`` of a split."""

    split: str
    number: int
    start: int
    stop: int

    @property
    def file(self) -> str:
        """Its file name."""
        return shard_name(self.split, self.number)


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
        preset: A name in `trajvq.data.presets.PRESETS`.
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
    _import_plugins(plugins)
    plan = _plan(preset_named(preset), preset, seed, clips or {}, frames, size, plugins)
    if workers < 1:
        raise DataError(f"{workers} workers cannot make a dataset; give 1 or more")
    with _claimed(out, plan, force) as done:
        if (out / MANIFEST).exists():
            return read_manifest(out)
        report = _Report(out, plan, done)
        with Progress(BarColumn(), TextColumn("{task.description}"), transient=True, disable=not progress) as bar:
            task = bar.add_task(report.line(), total=report.total, completed=report.made)

            rest = [shard for shard in plan.shards() if shard.file not in done]
            with _interruptible() as check:

                def finished(shard: Shard, entry: dict[str, Any]) -> None:
                    report.add(shard, entry)
                    bar.update(task, completed=report.made, description=report.line())
                    check()

                _make_all(out, plan, rest, min(workers, len(rest)), finished)
        manifest = plan.manifest()
        for shard in plan.shards():
            manifest.splits.setdefault(shard.split, []).append(done[shard.file])
        manifest.write(out)
        report.write()
    return manifest


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Make SIGTERM end like Ctrl-C; gives a check, since Python loses an interrupt that falls into a callback."""
    caught: list[int] = []

    def handle(number: int, _: Any) -> None:
        caught.append(number)
        raise KeyboardInterrupt

    def check() -> None:
        if caught:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _import_plugins(plugins: Sequence[str]) -> None:
    if plugins and "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in plugins:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise DataError(
                f"plugin {name!r} cannot be imported ({error}); give a module of the current folder"
            ) from None


def _plan(
    chosen: Preset,
    name: str,
    seed: int | None,
    clips: Mapping[str, int],
    frames: int,
    size: int,
    plugins: Sequence[str],
) -> Plan:
    if frames < 2 or size < 16:
        raise DataError(f"clips of {frames} frames and {size}x{size} pixels are too small: at least 2 and 16x16")
    unknown = set(clips) - set(chosen.clips)
    if unknown:
        raise DataError(f"unknown split {min(unknown)!r}; known: {', '.join(chosen.clips)}")
    wanted = {**chosen.clips, **clips}
    if min(wanted.values()) < 0:
        raise DataError(f"a split cannot have {min(wanted.values())} clips; give 0 or more")
    if chosen.seed is not None:
        own = (chosen.seed, chosen.clips, 16, 64)
        if (chosen.seed if seed is None else seed, wanted, frames, size) != own:
            raise DataError(f"preset {name!r} is frozen: its seed, sizes and splits cannot be changed; leave them out")
        seed = chosen.seed
    return Plan(
        preset=name,
        seed=seed or 0,
        clips={split: count for split, count in wanted.items() if count},
        frames=frames,
        size=size,
        families=tuple(motion.name for motion in FAMILIES),
        plugins=tuple(plugins),
        shard=SHARD,
    )


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
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"another process is generating into {out}; wait for it or choose another --out") from None
        try:
            if force:
                _remove(out)
            done.update(_finished(out, plan))
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
            if not done and not (out / MANIFEST).exists():
                (out / PROGRESS).unlink(missing_ok=True)
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


def make_shard(out: Path, plan: Plan, shard: Shard) -> dict[str, Any]:
    """Make and write one shard; returns the manifest's entry."""
    preset = preset_named(plan.preset)
    columns = lay_out(preset, plan.seed, shard.split, shard.start, shard.stop, plan.frames, plan.size)
    blocks = draw(columns, preset.make_look(), plan.seed, shard.split, shard.start, plan.size)
    return write_shard(out / shard.file, columns, blocks)


def _make_all(
    out: Path, plan: Plan, shards: list[Shard], workers: int, finished: Callable[[Shard, dict[str, Any]], None]
) -> None:
    if workers <= 1:
        for shard in shards:
            finished(shard, make_shard(out, plan, shard))
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a worker is one thread; more would fight for the cores
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers - 1, context, initializer=_start_worker, initargs=(plan.plugins,)) as pool:
        # Workers are born deaf to signals, even while they import: how it ends is the parent's affair.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        jobs: dict[Future[dict[str, Any]], Shard] = {pool.submit(make_shard, out, plan, s): s for s in shards}
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            for job in reversed(list(jobs)):  # this process works too, from the other end
                if job.cancel():
                    shard = jobs.pop(job)
                    finished(shard, make_shard(out, plan, shard))
                for ended in [other for other in jobs if other.done()]:
                    finished(jobs.pop(ended), ended.result())
            for job in list(jobs):
                entry = job.result()
                finished(jobs.pop(job), entry)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)  # those at work finish their shard
            for job, shard in jobs.items():
                if not job.cancelled() and job.exception() is None:
                    with suppress(KeyboardInterrupt):  # it has been heard
                        finished(shard, job.result())
            raise


def _start_worker(plugins: Sequence[str]) -> None:
    """Never outlive the parent."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    _import_plugins(plugins)
