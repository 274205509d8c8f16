"""Generate dataset folders shard by shard, in parallel, and continue where an earlier call stopped.

A single process generates and writes each shard, so shards do not depend on the number of workers.
``progress.json`` lists the finished shards. The manifest is written last.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trajvq.data.storage.manifest import MANIFEST, PROGRESS, Manifest, read_manifest, write_json
from trajvq.data.synthetic.plan import Plan, Shard, import_plugins, make_plan
from trajvq.data.synthetic.workers import interruptible, make_all
from trajvq.errors import DataError
from trajvq.io.files import file_sha256
from trajvq.io.locks import locked
from trajvq.io.progress import progress
from trajvq.io.video import Size

LOCK = ".lock"


class Interrupted(DataError):
    """The user stopped the generation. Finished shards are kept."""

    exit_code = 130


def generate(
    out: Path,
    clips: Mapping[str, int] | None = None,
    seed: int | None = None,
    preset: str = "default",
    frames: int = 16,
    size: Size = 64,
    workers: int = 1,
    force: bool = False,
    plugins: Sequence[str] = (),
) -> Manifest:
    """Generate a dataset folder, or continue an interrupted one.

    Args:
        out: The folder; created if missing.
        clips: Number of clips by split. Other splits have the preset's number; 0 omits a split.
        seed: Seed; by default the preset's, or 0. A clip depends on the seed, its split and its index alone.
        preset: A name in `trajvq.data.synthetic.presets.PRESETS`.
        frames: Frames per clip.
        size: Width and height in pixels, or the side of a square.
        workers: Number of processes; 1 generates in this process. The dataset does not depend on it.
        force: Start over, and remove the dataset or the finished shards of another plan in the folder.
        plugins: Modules to import first, which register families, styles or presets.

    Returns:
        The manifest.

    Raises:
        DataError: If a setting is wrong, or the folder holds other files or cannot be written.
        LockedError: If another process generates into the folder.
        Interrupted: After Ctrl-C or SIGTERM. The same call continues with the remaining shards.
    """
    import_plugins(plugins)
    plan = make_plan(preset, seed, clips or {}, frames, size, plugins)
    if workers < 1:
        raise DataError(f"{workers} workers cannot make a dataset; give 1 or more")
    with _claimed(out, plan, force) as finished:
        if (out / MANIFEST).exists():
            return read_manifest(out)
        _write_progress(out, plan, finished)
        remaining = [shard for shard in plan.shards() if shard.file not in finished]
        total, done = sum(plan.clips.values()), _clips(finished)
        with progress("generating", total, done) as advance, interruptible() as check:

            def add(shard: Shard, entry: dict[str, Any]) -> None:
                finished[shard.file] = entry
                _write_progress(out, plan, finished)
                advance(entry["clips"])
                check()

            make_all(out, plan, remaining, min(workers, len(remaining)), add)
        manifest = plan.manifest()
        for shard in plan.shards():
            manifest.splits.setdefault(shard.split, []).append(finished[shard.file])
        manifest.write(out)
    return manifest


@contextmanager
def _claimed(out: Path, plan: Plan, force: bool) -> Iterator[dict[str, dict[str, Any]]]:
    """Lock the folder for this process, and yield the manifest entries of its finished shards."""
    created = not out.exists()
    if not created and not (out / MANIFEST).exists() and not (out / PROGRESS).exists() and _has_other_files(out):
        raise DataError(f"{out} already exists and is not empty; choose another --out")
    finished: dict[str, dict[str, Any]] = {}
    matches = False  # do not change the folder before it is certain that it holds this plan
    with locked(out, LOCK, wait=False, remedy="choose another --out"):
        try:
            if force:
                _remove_dataset(out)
            finished.update(_finished(out, plan))
            matches = True
            yield finished
        except OSError as error:
            raise DataError(
                f"cannot write {out}: {error.strerror or error}; {_kept_shards(out, plan, finished)}"
            ) from None
        except ValueError as error:
            raise DataError(str(error)) from None
        except BrokenProcessPool:
            raise DataError(
                f"a worker died, perhaps for lack of memory; {_kept_shards(out, plan, finished)}, with fewer --workers"
            ) from None
        except KeyboardInterrupt:
            raise Interrupted(f"stopped; {_kept_shards(out, plan, finished)}") from None
        finally:
            (out / LOCK).unlink(missing_ok=True)
            for partial in out.glob(".*.partial"):
                partial.unlink()
            if matches and not finished and not (out / MANIFEST).exists():
                _remove_dataset(out)
                if created:
                    out.rmdir()


def _has_other_files(out: Path) -> bool:
    """Return whether a folder without a dataset holds files, or is a file itself."""
    try:
        names = [path.name for path in out.iterdir()]
    except NotADirectoryError:
        return True
    except OSError as error:
        raise DataError(f"cannot read {out}: {error.strerror}; choose another --out") from None
    return any(name != LOCK and not name.endswith(".partial") for name in names)


def _kept_shards(out: Path, plan: Plan, finished: Mapping[str, Any]) -> str:
    return f"{len(finished)} of {len(plan.shards())} shards are kept in {out}; run the same command to continue"


def _remove_dataset(out: Path) -> None:
    """Remove the files of a dataset, and no others."""
    (out / MANIFEST).unlink(missing_ok=True)
    (out / PROGRESS).unlink(missing_ok=True)
    for path in out.glob("*-[0-9][0-9][0-9][0-9][0-9].h5"):
        path.unlink()


def _finished(out: Path, plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the manifest entries of the finished shards in a folder of the same plan; none in a new folder.

    Raises:
        DataError: If the folder holds the clips of another plan.
    """
    path = out / PROGRESS
    if not path.exists():
        if (out / MANIFEST).exists():
            raise DataError(f"{out} already holds a dataset from elsewhere; choose another --out, or --force")
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        other, entries = content["plan"], content["shards"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path} cannot be read; start over with --force") from None
    differences = plan.differences(other)
    if differences:
        raise DataError(
            f"{out} holds clips of {'; '.join(differences)}; choose another --out, or start over with --force"
        )
    finished = {}
    for shard in plan.shards():
        entry, file = entries.get(shard.file), out / shard.file
        if entry and file.is_file() and file.stat().st_size == entry["bytes"] and file_sha256(file) == entry["sha256"]:
            finished[shard.file] = entry
    if len(finished) < len(plan.shards()):
        (out / MANIFEST).unlink(missing_ok=True)
    return finished


def _clips(finished: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the number of clips in finished shards."""
    return sum(entry["clips"] for entry in finished.values())


def _write_progress(out: Path, plan: Plan, finished: Mapping[str, Mapping[str, Any]]) -> None:
    """Write ``progress.json`` atomically."""
    clips, total = _clips(finished), sum(plan.clips.values())
    content = {"line": f"{clips:,} of {total:,} clips", "finished": clips, "clips": total}
    write_json(out / PROGRESS, {**content, "plan": plan.as_json(), "shards": finished})
