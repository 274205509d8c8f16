"""Measure the mirror: 20 checkpoints under 10 % injected failures, and the step time with and without it.

    python experiments/remote/measure.py [--rate 0.1] [--phases 40] [--steps 12]

One process trains a tokenizer. Phases with and without the mirror alternate, and each begins with a checkpoint. The
store (moto's S3 server) and a proxy run as separate processes with low priority, as a remote machine would. The proxy
makes a share of all requests fail: errors 500 and 503, slow responses, connections lost before or after the request was
served, truncated responses, and uploads with a flipped bit.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.callbacks import EMAWeightAveraging

from trajvq.augment import ObjectWindows
from trajvq.callbacks import RemoteMirror
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.data.synthetic.generate import generate
from trajvq.errors import UserError
from trajvq.io.remote import digest_of, fetch_verified, names_below
from trajvq.losses import BalancedLoss
from trajvq.models import CausalTokenizer
from trajvq.tasks import Reconstruct

ROOT = Path(__file__).parents[2]


class Phases(L.Callback):
    """Switch the mirror on and off, write checkpoints and measure the time of every step."""

    def __init__(self, mirror: RemoteMirror, steps: int) -> None:
        self.mirror, self.steps, self.uploads = mirror, steps, None
        self.seconds: list[list[float]] = []  # per step, by phase
        self.alone: list[float] = []  # seconds that each phase would take with a core to itself
        self.waits: list[float] = []
        self.left: dict[str, str] = {}
        self.start = 0.0

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        now = time.perf_counter()
        if self.start and trainer.global_step % self.steps:
            self.seconds[-1].append(now - self.start)
        if trainer.global_step % self.steps == 0:
            self.switch(now)
        if trainer.global_step % self.steps == 0:
            busy = alone()
            folder = "checkpoints" if self.mirror.uploads else "others"
            path = Path(trainer.default_root_dir) / folder / f"step-{trainer.global_step:05d}.ckpt"
            trainer.save_checkpoint(path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)
            self.alone[-1] -= alone() - busy
        self.start = time.perf_counter()

    def switch(self, now: float) -> None:
        """End a phase: wait for its pending uploads and record the wait."""
        if self.start:
            self.seconds[-1].append(now - self.start)
        blocked = alone() - time.process_time()
        if self.mirror.uploads:  # uploads count as the phase's processor time, but training does not wait for them
            self.left |= self.mirror.uploads.drain(120)
            self.waits.append(time.perf_counter() - now)
            self.uploads, self.mirror.uploads = self.mirror.uploads, None
        else:
            self.mirror.uploads = self.uploads
        if self.alone:
            self.alone[-1] += time.process_time() + blocked
        self.alone.append(-alone())
        self.seconds.append([])


def alone() -> float:
    """Return the seconds that this process would have taken with a core to itself, since a fixed moment.

    This is the processor time of all its threads plus the time in which the training thread was blocked, for example
    by the interpreter lock. The time in which another process had the core does not count.
    """
    running, queued, _ = (int(word) for word in Path("/proc/self/schedstat").read_text().split())
    return time.process_time() + time.perf_counter() - (running + queued) / 1e9


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def serve(rate: float) -> tuple[list[subprocess.Popen[str]], str, str]:
    """Start server and proxy; return the processes and the addresses."""
    store, proxy = free_port(), free_port()
    low: dict[str, Any] = {"cwd": ROOT, "text": True, "preexec_fn": lambda: os.nice(10), "stderr": subprocess.DEVNULL}
    server = [sys.executable, "-m", "moto.server", "-p", str(store)]
    between = [sys.executable, "-m", "tests.faults", f"--port={proxy}", f"--target=127.0.0.1:{store}", f"--rate={rate}"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, **low) for command in (server, between)]
    request = urllib.request.Request(f"http://127.0.0.1:{store}/bucket", method="PUT")
    for port in (store, proxy):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
    urllib.request.urlopen(request).close()
    return started, f"http://127.0.0.1:{store}", f"http://127.0.0.1:{proxy}"


def train(scratch: Path, phases: int, steps: int) -> tuple[Phases, Path]:
    """Train a tokenizer of about the default size with the mirror on in every other phase."""
    generate(scratch / "clips", {"train": 1000, "val": 50, "test": 50})
    total = phases * steps
    tokenizer, windows = CausalTokenizer(width=64, patch_channels=256, blocks=2), ObjectWindows(8, 32, 3, until=1.0)
    model = Reconstruct(tokenizer, BalancedLoss(), augment=windows, learning_rate=3e-3, total_steps=total + 1)
    mirror = RemoteMirror("s3://bucket/prefix")
    watch = Phases(mirror, steps)
    run = scratch / "measure/run"
    trainer = L.Trainer(
        max_steps=total + 1,  # the extra step ends the last phase
        max_epochs=-1,
        callbacks=[EMAWeightAveraging(decay=0.99), watch, mirror],
        default_root_dir=run,
        accelerator="cpu",
        logger=False,
        limit_val_batches=0,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    (run / "checkpoints").mkdir(parents=True)
    (run / "others").mkdir()
    uploads, setup = [], mirror.setup
    mirror.setup = lambda *a, **k: (setup(*a, **k), uploads.append(mirror.uploads), setattr(mirror, "uploads", None))[0]  # type: ignore[method-assign]
    watch.on_train_start = lambda *_: setattr(watch, "uploads", uploads[0])  # type: ignore[method-assign]
    trainer.fit(model, TrajectoryDataModule(scratch / "clips", batch_size=16))
    if watch.uploads:
        watch.left |= watch.uploads.drain(120)
    return watch, run


def main() -> None:
    """Run the measurement and print the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--phases", type=int, default=40)
    parser.add_argument("--steps", type=int, default=12)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    warnings.filterwarnings("always", "mirror: ")
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        servers, direct, faulty = serve(args.rate)
        try:
            os.environ["AWS_ENDPOINT_URL"] = faulty
            start = time.monotonic()
            watch, run = train(scratch, args.phases, args.steps)
            seconds = time.monotonic() - start
            os.environ["AWS_ENDPOINT_URL"] = direct
            check(run, scratch / "back")
        finally:
            for one in servers:
                one.terminate()
            outputs = [one.communicate()[0] for one in servers]
    print(f"requests by what was done to them: {outputs[1].strip()}")
    report(watch, seconds)


def check(run: Path, back: Path) -> None:
    """Compare every checkpoint with its copy, without the proxy and with a new client."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    url, lost, corrupt = "s3://bucket/prefix/measure/run", 0, 0
    there, written = names_below(url), sorted((run / "checkpoints").glob("*.ckpt"))
    for path in written:
        name = f"checkpoints/{path.name}"
        try:
            corrupt += fetch_verified(f"{url}/{name}", back) != digest_of(path)
        except UserError as error:
            print(error)
            lost += name not in there
            corrupt += name in there
    size = written[0].stat().st_size / 1e6
    print(f"{len(written)} checkpoints of {size:.1f} MB mirrored: {lost} lost, {corrupt} corrupt")


def report(watch: Phases, seconds: float) -> None:
    """Print the time of a step with the mirror on and off, their ratio, and how it varies over pairs of phases."""
    on = [statistics.fmean(phase) for phase in watch.seconds[0::2] if phase]
    off = [statistics.fmean(phase) for phase in watch.seconds[1::2] if phase]
    pairs = min(len(on), len(off))
    ratios = np.array(on[:pairs]) / np.array(off[:pairs])
    resampled = np.random.default_rng(0).integers(0, pairs, (10_000, pairs))
    low, high = np.quantile(np.array(on)[resampled].sum(1) / np.array(off)[resampled].sum(1), [0.025, 0.975])
    print(f"step with mirror {1000 * statistics.fmean(on):.1f} ms, without {1000 * statistics.fmean(off):.1f} ms")
    print(f"ratio {sum(on[:pairs]) / sum(off[:pairs]):.4f} (95 % interval {low:.4f} to {high:.4f})")
    print(f"ratios of the {pairs} pairs: {ratios.min():.4f} to {ratios.max():.4f}, SD {ratios.std(ddof=1):.4f}")
    work = np.array(watch.alone[: 2 * pairs]).reshape(-1, 2)
    low, high = np.quantile(work[resampled, 0].sum(1) / work[resampled, 1].sum(1), [0.025, 0.975])
    each = work[:, 0] / work[:, 1]
    with_it, without = 1000 * work.mean(0) / watch.steps
    print(f"alone on one core: step with mirror {with_it:.1f} ms, without {without:.1f} ms")
    print(f"ratio {with_it / without:.4f} (95 % interval {low:.4f} to {high:.4f})")
    print(f"ratios of the pairs: {each.min():.4f} to {each.max():.4f}, SD {each.std(ddof=1):.4f}")
    print(f"a checkpoint costs {1000 * (work[:, 0] - work[:, 1]).mean():.0f} ms")
    medians = [[statistics.median(phase) for phase in watch.seconds[k::2] if phase] for k in (0, 1)]
    print(f"ratio of median steps: {statistics.fmean(medians[0]) / statistics.fmean(medians[1]):.4f}")
    print(f"waited for uploads at the end of phases: {max(watch.waits):.2f} s at most; left: {watch.left or 'nothing'}")
    print(f"{seconds:.0f} s in all")


if __name__ == "__main__":
    main()
