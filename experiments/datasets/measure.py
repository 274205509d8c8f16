"""Measure speed and memory of datasets, whether generation survives kills, and whether damage is detected.

    python experiments/datasets/measure.py speed|kills|flips|reading|full [--scratch DIR]

Run one study at a time on an idle machine.
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

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import FILTER
from trajvq.data.synthetic.scene import make_clips
from trajvq.errors import DataError
from trajvq.io.files import file_sha256

Outcome = tuple[int, float, float]  # exit code, seconds, peak memory of the process and its workers in MB


def tree_mb(root: int) -> float:
    """Return the memory of a process and its children in MB, with shared pages counted once (PSS)."""
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (OSError, ProcessLookupError):
            continue  # it has ended
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def generate(out: Path, *extra: str, kill_after: float | None = None) -> Outcome:
    """Run `trajvq data generate` in a separate process."""
    start, peak = time.monotonic(), 0.0
    command = [sys.executable, "-m", "trajvq.cli", "data", "generate", f"--out={out}", *extra]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        while run.poll() is None:
            peak = max(peak, tree_mb(run.pid))
            if kill_after is not None and time.monotonic() - start > kill_after:
                run.kill()
            time.sleep(0.05)
        seconds = time.monotonic() - start
        message = run.stderr.read().decode() if run.stderr else ""
    if message:
        print(f"    {message.strip()}")
    return run.returncode, seconds, peak


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every shard."""
    return {entry["file"]: entry["sha256"] for of in read_manifest(folder).splits.values() for entry in of}


def speed(scratch: Path) -> None:
    """Compare generating 30,000 clips with only compressing and writing 30,000 existing ones."""
    ready = make_clips(0, "train", 0, 1000, 16, 64)["video"]
    start = time.monotonic()
    for number in range(30):
        with h5py.File(scratch / f"ready-{number}.h5", "w", libver="latest") as file:
            file.create_dataset("video", data=ready, chunks=(1, *ready.shape[1:]), **FILTER)
    write = time.monotonic() - start
    del ready
    print(f"one process, compress and write 30,000 existing clips: {write:.2f} s")
    for name, workers, extra in (
        ("30,000 clips", 2, ["--preset=scale30k"]),
        ("30,000 clips", 1, ["--preset=scale30k"]),
        ("5,000 clips", 2, ["--train=3000", "--val=1000", "--test=1000", "--ood=0"]),
    ):
        _, seconds, peak = generate(scratch / f"{name}-{workers}", f"--workers={workers}", *extra)
        print(f"{name}, {workers} workers: {seconds:.2f} s, ratio {seconds / write:.2f}, peak {peak:.0f} MB")


def kills(scratch: Path) -> None:
    """Compare the bytes of 1, 2 and 4 workers, and after SIGKILL at 20 random moments."""
    sizes = ["--train=16000", "--val=2000", "--test=2000", "--ood=400"]
    _, seconds, _ = generate(scratch / "one", "--workers=1", *sizes)
    expected = hashes(scratch / "one")
    for workers in (2, 4):
        generate(scratch / f"w{workers}", f"--workers={workers}", *sizes)
        print(f"{workers} workers: {'equal' if hashes(scratch / f'w{workers}') == expected else 'DIFFERENT'}")
    rng, out, done = random.Random(0), scratch / "killed", 0
    for number in range(20):
        if (out / "manifest.json").exists():  # it ended before the kill: start over
            done += hashes(out) == expected
            shutil.rmtree(out)
        generate(out, "--workers=2", *sizes, kill_after=rng.uniform(0.3, seconds / 3))
        line = json.loads((out / "progress.json").read_text())["line"] if (out / "progress.json").exists() else "-"
        print(f"kill {number + 1}: {line}")
    generate(out, "--workers=2", *sizes)
    left = sorted(p.name for p in out.iterdir() if p.suffix != ".h5")
    print(f"after 20 kills: {'equal' if hashes(out) == expected else 'DIFFERENT'}; beside the shards: {left}")


def flips(scratch: Path) -> None:
    """Flip one bit at 200 random positions of a shard and of the manifest."""
    from trajvq.metrics.dataset.verify import verify

    out, rng = scratch / "flips", np.random.default_rng(0)
    generate(out, "--train=200", "--val=4", "--test=4", "--ood=0")
    truth = [item["video"].numpy() for item in (Clips(out, "train")[k] for k in range(200))]
    counts = {"verify": 0, "reading": 0, "harmless": 0, "SILENT": 0}
    for file in ("train-00000.h5", "manifest.json"):
        raw = (out / file).read_bytes()
        for position in rng.integers(0, len(raw), 200).tolist():
            damaged = bytearray(raw)
            damaged[position] ^= 1 << int(rng.integers(8))
            (out / file).write_bytes(damaged)
            counts["verify"] += any(check.faults for check in verify(out))
            outcome = _read_all(out, truth)
            counts[outcome] += 1
        (out / file).write_bytes(raw)
    print(f"of 400 flips, verify detected {counts['verify']} and reading {counts['reading']}")
    print(f"all clips read correctly (unused bytes, texts) in {counts['harmless']}; wrong pixels in {counts['SILENT']}")


def _read_all(folder: Path, truth: list[np.ndarray]) -> str:
    try:
        clips = Clips(folder, "train")
    except DataError:
        return "reading"
    outcome = "harmless"
    for number, expected in enumerate(truth):
        try:
            if (clips[number]["video"].numpy() != expected).any():
                return "SILENT"
        except DataError:
            outcome = "reading"
    return outcome


def reading(scratch: Path) -> None:
    """Compare reading in random order with a memmap of the same clips; measure memory over 24,000 clips."""
    import torch
    from torch.utils.data import DataLoader, RandomSampler

    generate(scratch / "read", "--preset=scale30k")
    clips = Clips(scratch / "read", "train")
    count = 4000
    memory_map = np.memmap(scratch / "memmap", np.uint8, "w+", shape=(count, *clips.shape))
    for first in range(0, count, 50):
        memory_map[first : first + 50] = clips.batch(list(range(first, first + 50)))["video"].numpy()
    memory_map.flush()

    class Mapped(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return count

        def __getitems__(self, indices: list[int]) -> dict[str, torch.Tensor]:
            video = np.empty((len(indices), *clips.shape), dtype=np.uint8)
            for row, index in enumerate(indices):
                video[row] = memory_map[index]
            rows = torch.tensor(indices)
            batch = {"video": torch.from_numpy(video), "index": rows}
            return batch | {name: column[rows] for name, column in clips.columns.items()}

    def rate(make: Callable[[], DataLoader]) -> float:  # type: ignore[type-arg]
        best = 0.0
        for _ in range(5):
            start = time.perf_counter()
            count_read = sum(len(batch["index"]) for batch in make())
            best = max(best, count_read / (time.perf_counter() - start))
        return best

    order = lambda: RandomSampler(range(count))  # noqa: E731
    stored = rate(lambda: clips.loader(16, sampler=order()))
    mapped = rate(lambda: DataLoader(Mapped(), batch_size=16, sampler=order(), collate_fn=lambda batch: batch))
    print(
        f"random order, batches of 16, one process: {stored:,.0f} clips/s; memmap {mapped:,.0f}; {stored / mapped:.2f}"
    )
    process = threading.get_native_id()
    before, peak = tree_mb(process), 0.0
    for batch in clips.loader(16, sampler=RandomSampler(range(len(clips)))):
        if int(batch["index"][0]) % 40 == 0:
            peak = max(peak, tree_mb(process))
    print(f"memory: {before:.0f} MB before, {peak:.0f} MB peak over {len(clips):,} clips, 4.7 GB of pixels")


def full(scratch: Path) -> None:
    """Fill a disk in the middle of a shard. Needs the right to mount."""
    disk, libc = scratch / "disk", ctypes.CDLL(None, use_errno=True)
    disk.mkdir()
    if libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", 0, b"size=12m") != 0:
        print("cannot mount a small disk without root; the tests inject the error instead")
        return
    try:
        sizes = ["--train=8000", "--val=400", "--test=400", "--ood=0", "--workers=2"]
        code, _, _ = generate(disk / "out", *sizes)
        shards = sorted((disk / "out").glob("*.h5"))
        entries = json.loads((disk / "out" / "progress.json").read_text())["shards"]
        whole = sum(file_sha256(path) == entries[path.name]["sha256"] for path in shards)
        hidden = [path.name for path in (disk / "out").glob(".*")]
        print(f"exit code {code}; {len(shards)} shards, {whole} of them whole; hidden files left: {hidden}")
        libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", 32, b"size=64m")  # MS_REMOUNT: more space
        code, _, _ = generate(disk / "out", *sizes)
        generate(scratch / "calm", *sizes)
        print(
            f"resumed: exit code {code}, {'equal' if hashes(disk / 'out') == hashes(scratch / 'calm') else 'DIFFERENT'}"
        )
    finally:
        libc.umount2(str(disk).encode(), 2)


def main() -> None:
    """Run one study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    studies = {f.__name__: f for f in (speed, kills, flips, reading, full)}
    parser.add_argument("study", choices=studies)
    parser.add_argument("--scratch", type=Path, help="folder for a few hundred MB (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        studies[args.study](Path(scratch))


if __name__ == "__main__":
    main()
