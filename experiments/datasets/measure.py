"""Measure what a dataset promises: speed, memory, survival, and that no damage goes unseen.

    python experiments/datasets/measure.py speed|kills|flips|reading|full [--scratch DIR]

Each prints a line a figure. Run them one at a time on an idle machine.
"""

import argparse
import ctypes
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from trajvq.data.storage.clips import Clips, _as_it_is
from trajvq.data.storage.shards import FILTER, DataError, read_manifest
from trajvq.data.synthetic.scene import make_clips
from trajvq.io.files import file_sha256

Made = tuple[int, float, float]  # exit code, seconds, peak MB of the process and its workers


def tree_mb(root: int) -> float:
    """Return the memory of a process and all below it in MB, shared pages counted once (PSS)."""
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (OSError, ProcessLookupError):
            continue  # it ended meanwhile
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def generate(out: Path, *extra: str, kill_after: float | None = None) -> Made:
    """Run `trajvq data generate` in a process of its own."""
    start, peak = time.monotonic(), 0.0
    command = [sys.executable, "-m", "trajvq.cli", "data", "generate", f"--out={out}", *extra]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        while run.poll() is None:
            peak = max(peak, tree_mb(run.pid))
            if kill_after is not None and time.monotonic() - start > kill_after:
                run.kill()
            time.sleep(0.05)
        seconds = time.monotonic() - start
        said = run.stderr.read().decode() if run.stderr else ""
    if said:
        print(f"    {said.strip()}")
    return run.returncode, seconds, peak


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every shard."""
    return {entry["file"]: entry["sha256"] for of in read_manifest(folder).splits.values() for entry in of}


def speed(scratch: Path) -> None:
    """30,000 clips by two workers, against one process that compresses and writes 30,000 ready ones."""
    ready = make_clips(0, "train", 0, 1000, 16, 64)["video"]
    start = time.monotonic()
    for number in range(30):
        with h5py.File(scratch / f"ready-{number}.h5", "w", libver="latest") as file:
            file.create_dataset("video", data=ready, chunks=(1, *ready.shape[1:]), **FILTER)
    write = time.monotonic() - start
    del ready
    print(f"one process, 30,000 ready clips compressed and written: {write:.2f} s")
    for name, workers, extra in (
        ("30,000 clips", 2, ["--preset=scale30k"]),
        ("30,000 clips", 1, ["--preset=scale30k"]),
        ("5,000 clips", 2, ["--train=3000", "--val=1000", "--test=1000", "--ood=0"]),
    ):
        _, seconds, peak = generate(scratch / f"{name}-{workers}", f"--workers={workers}", *extra)
        print(f"{name}, {workers} workers: {seconds:.2f} s, ratio {seconds / write:.2f}, peak {peak:.0f} MB")


def kills(scratch: Path) -> None:
    """The same bytes for 1, 2 and 4 workers, and after SIGKILL at 20 random moments."""
    sizes = ["--train=16000", "--val=2000", "--test=2000", "--ood=400"]
    _, seconds, _ = generate(scratch / "one", "--workers=1", *sizes)
    wanted = hashes(scratch / "one")
    for workers in (2, 4):
        generate(scratch / f"w{workers}", f"--workers={workers}", *sizes)
        print(f"{workers} workers: {'equal' if hashes(scratch / f'w{workers}') == wanted else 'DIFFERENT'}")
    rng, out, done = random.Random(0), scratch / "killed", 0
    for number in range(20):
        if (out / "manifest.json").exists():  # it ended before the kill: begin anew
            done += hashes(out) == wanted
            shutil.rmtree(out)
        generate(out, "--workers=2", *sizes, kill_after=rng.uniform(0.3, seconds / 3))
        made = json.loads((out / "progress.json").read_text())["line"] if (out / "progress.json").exists() else "-"
        print(f"kill {number + 1}: {made}")
    generate(out, "--workers=2", *sizes)
    left = sorted(p.name for p in out.iterdir() if p.suffix != ".h5")
    print(f"after 20 kills: {'equal' if hashes(out) == wanted else 'DIFFERENT'}; beside the shards: {left}")


def flips(scratch: Path) -> None:
    """One flipped bit at 200 random places of a shard and of the manifest."""
    from trajvq.metrics.dataset.verify import verify

    out, rng = scratch / "flips", np.random.default_rng(0)
    generate(out, "--train=200", "--val=4", "--test=4", "--ood=0")
    truth = [item["video"].numpy() for item in (Clips(out, "train")[k] for k in range(200))]
    found = {"verify": 0, "reading": 0, "harmless": 0, "SILENT": 0}
    for file in ("train-00000.h5", "manifest.json"):
        raw = (out / file).read_bytes()
        for place in rng.integers(0, len(raw), 200).tolist():
            damaged = bytearray(raw)
            damaged[place] ^= 1 << int(rng.integers(8))
            (out / file).write_bytes(damaged)
            found["verify"] += any(check.faults for check in verify(out))
            outcome = _read_all(out, truth)
            found[outcome] += 1
        (out / file).write_bytes(raw)
    print(f"of 400 flips: verify found {found['verify']}; reading found {found['reading']}, in {found['harmless']}")
    print(f"every clip still read as written (unused bytes, texts), wrong pixels were read in {found['SILENT']}")


def _read_all(folder: Path, truth: list[np.ndarray]) -> str:
    try:
        clips = Clips(folder, "train")
    except DataError:
        return "reading"
    outcome = "harmless"
    for number, wanted in enumerate(truth):
        try:
            if (clips[number]["video"].numpy() != wanted).any():
                return "SILENT"
        except DataError:
            outcome = "reading"
    return outcome


def reading(scratch: Path) -> None:
    """Random order through the loader, against a memmap of the same clips; memory over 30,000 clips."""
    import torch
    from torch.utils.data import DataLoader, RandomSampler

    generate(scratch / "read", "--preset=scale30k")
    clips = Clips(scratch / "read", "train")
    count = 4000
    held = np.memmap(scratch / "memmap", np.uint8, "w+", shape=(count, *clips.shape))
    for first in range(0, count, 50):
        held[first : first + 50] = clips.batch(list(range(first, first + 50)))["video"].numpy()
    held.flush()

    class Mapped(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return count

        def __getitems__(self, indices: list[int]) -> dict[str, torch.Tensor]:
            video = np.empty((len(indices), *clips.shape), dtype=np.uint8)
            for place, index in enumerate(indices):
                video[place] = held[index]
            rows = torch.tensor(indices)
            batch = {"video": torch.from_numpy(video), "index": rows}
            return batch | {name: column[rows] for name, column in clips.columns.items()}

    def rate(make: Callable[[], DataLoader]) -> float:  # type: ignore[type-arg]
        best = 0.0
        for _ in range(5):
            start = time.perf_counter()
            seen = sum(len(batch["index"]) for batch in make())
            best = max(best, seen / (time.perf_counter() - start))
        return best

    order = lambda: RandomSampler(range(count))  # noqa: E731
    stored = rate(lambda: clips.loader(16, sampler=order()))
    mapped = rate(lambda: DataLoader(Mapped(), batch_size=16, sampler=order(), collate_fn=_as_it_is))
    print(
        f"random order, batches of 16, one process: {stored:,.0f} clips/s; memmap {mapped:,.0f}; {stored / mapped:.2f}"
    )
    process = threading.get_native_id()
    before, peak = tree_mb(process), 0.0
    for batch in clips.loader(16, sampler=RandomSampler(range(len(clips)))):
        if int(batch["index"][0]) % 40 == 0:
            peak = max(peak, tree_mb(process))
    print(f"memory: {before:.0f} MB before, {peak:.0f} MB at most over {len(clips):,} clips, 4.7 GB of pixels")


def full(scratch: Path) -> None:
    """A disk that fills in mid-shard; needs the right to mount."""
    disk, libc = scratch / "disk", ctypes.CDLL(None, use_errno=True)
    disk.mkdir()
    if libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", 0, b"size=12m") != 0:
        print("no right to mount a small disk; the tests inject the error instead")
        return
    try:
        sizes = ["--train=8000", "--val=400", "--test=400", "--ood=0", "--workers=2"]
        code, _, _ = generate(disk / "out", *sizes)
        shards = sorted((disk / "out").glob("*.h5"))
        entries = json.loads((disk / "out" / "progress.json").read_text())["shards"]
        whole = sum(file_sha256(path) == entries[path.name]["sha256"] for path in shards)
        hidden = [path.name for path in (disk / "out").glob(".*")]
        print(f"exit code {code}; {len(shards)} shards, {whole} of them whole; hidden files left: {hidden}")
        libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", 32, b"size=64m")  # MS_REMOUNT: room again
        code, _, _ = generate(disk / "out", *sizes)
        generate(scratch / "calm", *sizes)
        print(
            f"resumed: exit code {code}, {'equal' if hashes(disk / 'out') == hashes(scratch / 'calm') else 'DIFFERENT'}"
        )
    finally:
        libc.umount2(str(disk).encode(), 2)


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    studies = {f.__name__: f for f in (speed, kills, flips, reading, full)}
    parser.add_argument("study", choices=studies)
    parser.add_argument("--scratch", type=Path, help="folder for a few hundred MB (default: a temporary one)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.scratch) as scratch:
        studies[asked.study](Path(scratch))


if __name__ == "__main__":
    main()
