"""Kill, stop and damage runs, and measure what is lost.

    python experiments/survival/measure.py kills|stops|spot|disk|damage|speed [--scratch DIR]

Runs `trajvq fit` with the default settings, augmentation and moving average included, for 200 steps, and prints one
line per fault. The dataset is generated first.
"""

import argparse
import ctypes
import http.server
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

STEPS = 200
SETTINGS = [
    "--config=recon",
    f"--trainer.max_steps={STEPS}",
    "--trainer.val_check_interval=100",
    "--trainer.log_every_n_steps=10",
    "--collapse.on_collapse=warn",
]


class Run:
    """One `trajvq fit` in a separate process.

    Args:
        name: Name of the run.
        extra: Additional options.
    """

    def __init__(self, name: str, *extra: str) -> None:
        self.folder = Path("runs/recon") / name
        self.started, self.clock = time.monotonic(), time.time()
        environment = os.environ | {"WANDB_MODE": "offline", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trajvq", "fit", *SETTINGS, f"--run={name}", *extra],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def until(self, ready: Callable[[], bool]) -> None:
        """Wait until a condition holds or the run has ended."""
        while self.process.poll() is None and not ready():
            time.sleep(0.02)

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait()
        self.reader.join()
        return code

    def began(self) -> bool:
        """Return whether training has started."""
        return any(line.startswith("run: ") for line in self.lines)

    def saves(self) -> bool:
        """Return whether this process has saved a checkpoint."""
        path = self.folder / "checkpoints/last.ckpt"
        return path.exists() and path.stat().st_mtime > self.clock

    def one_line(self) -> str:
        """Return the last line of output."""
        return self.lines[-1] if self.lines else ""


def step_of(run: Path, name: str = "last") -> int:
    """Return the step of a checkpoint, or 0 if there is none."""
    path = run / f"checkpoints/{name}.ckpt"
    return int(torch.load(path, weights_only=True)["global_step"]) if path.exists() else 0


def differences(first: Path, second: Path) -> list[str]:
    """Name the parts of two finished runs that are not bit-identical."""
    differing = []
    for name in ("best", "last"):
        a, b = (torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True) for run in (first, second))
        for part in ("state_dict", "current_model_state", "averaging_state"):
            differing += [f"{name}: {part} {k}" for k in a[part] if not torch.equal(a[part][k], b[part][k])]
        states = (a["optimizer_states"][0]["state"], b["optimizer_states"][0]["state"])
        for key, state in states[0].items():
            for inner, value in state.items():
                if torch.is_tensor(value) and not torch.equal(value, states[1][key][inner]):
                    differing.append(f"{name}: optimizer {key} {inner}")
        if a["lr_schedulers"] != b["lr_schedulers"]:
            differing.append(f"{name}: schedule")
    if (first / "metrics.csv").read_text() != (second / "metrics.csv").read_text():
        differing.append("metrics.csv")
    return differing


def straight() -> Path:
    """Train once without a fault."""
    folder = Path("runs/recon/straight")
    if not (folder / "complete.json").exists():
        run = Run("straight")
        assert run.end() == 0, run.one_line()
        print(f"    200 steps without a fault: {time.monotonic() - run.started:.0f} s, startup and validation included")
    return folder


def verdict(run: Path) -> str:
    """Finish a run and compare its end with the run without a fault."""
    last = Run(run.name)
    code = last.end()
    if code:
        return f"exit code {code} afterwards: {last.one_line()}"
    differing = differences(straight(), run)
    return "bit-identical end" if not differing else f"DIFFERENT: {', '.join(differing[:3])}"


def kills(count: int = 10) -> None:
    """Send SIGKILL at random moments and continue each time."""
    reference = straight()
    dice = random.Random(0)
    lost, before = [], -1
    while True:
        run = Run("killed", "--checkpoint.every_seconds=2")
        if len(lost) < count:
            run.until(run.saves)
            moment = time.monotonic() + dice.uniform(0, 4)
            run.until(lambda end=moment: time.monotonic() > end)  # type: ignore[misc]
            run.process.kill()
        code = run.end()
        if code != -signal.SIGKILL:
            break
        reached = step_of(run.folder)
        lost.append(reached)
        print(f"    kill {len(lost)}: last.ckpt is of step {reached}{' (no new one)' if reached == before else ''}")
        before = reached
    assert code == 0, run.one_line()
    differing = differences(reference, run.folder)
    print(f"{len(lost)} SIGKILLs, saved every 2 s: {'bit-identical end' if not differing else differing}")


def stops() -> None:
    """Send SIGTERM in a step and in a validation, and Ctrl-C."""
    for name, number, moment in (
        ("term", signal.SIGTERM, "step"),
        ("term-validation", signal.SIGTERM, "validation"),
        ("interrupt", signal.SIGINT, "step"),
    ):
        run = Run(name, "--checkpoint.every_seconds=3")
        run.until(run.saves)
        if moment == "validation":
            run.until(lambda r=run: step_of(r.folder) == 100)  # type: ignore[misc]
        sent = time.monotonic()
        run.process.send_signal(number)
        code, seconds = run.end(), time.monotonic() - sent
        reached = re.search(r"stopped at step (\d+)", run.one_line())
        lost = int(reached[1]) - step_of(run.folder) if reached else "?"
        print(
            f"{number.name} in a {moment}: exit code {code}, {seconds:.1f} s, steps lost {lost}; {verdict(run.folder)}"
        )


class Notices(http.server.BaseHTTPRequestHandler):
    """A metadata service that gives notice of an interruption when `interrupting` is set."""

    interrupting = False

    def do_PUT(self) -> None:
        """Return a token."""
        self._answer(200, "token")

    def do_GET(self) -> None:
        """Answer a query for a notice."""
        notice = {"action": "terminate", "time": "2026-01-02T03:04:05Z"}
        notify = Notices.interrupting and self.path.endswith("instance-action")
        self._answer(200 if notify else 404, json.dumps(notice) if notify else "")

    def _answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Do not log."""


def spot() -> None:
    """Send a spot notice from a local metadata service."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notices) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
        run = Run(
            "spot",
            "--config=trainer/ec2",
            "--trainer.accelerator=cpu",
            "--trainer.devices=1",
            "--checkpoint.every_seconds=3",
        )
        run.until(run.saves)
        sent = time.monotonic()
        Notices.interrupting = True
        code, seconds = run.end(), time.monotonic() - sent
        server.shutdown()
    print(f"spot notice: exit code {code} {seconds:.1f} s after it; {run.one_line()}; {verdict(run.folder)}")


def disk() -> None:
    """Fill a disk, and make a folder read-only. Needs the right to mount."""
    libc = ctypes.CDLL(None, use_errno=True)
    root = Path("disk")
    root.mkdir(exist_ok=True)
    mount_point = str(root.absolute()).encode()
    if libc.mount(b"tmpfs", mount_point, b"tmpfs", 0, b"size=16m") != 0:
        print("cannot mount a small disk without root")
        return
    try:
        run = Run("full", f"--run_root={root}", "--checkpoint.every_seconds=2", "--trainer.logger=false")
        code = run.end()
        whole = step_of(root / "full")
        print(f"disk full: exit code {code}; last.ckpt is whole, of step {whole}; {run.one_line()}")
        libc.mount(b"tmpfs", mount_point, b"tmpfs", 32, b"size=512m")  # MS_REMOUNT: more space
        run = Run("full", f"--run_root={root}", "--checkpoint.every_seconds=2", "--trainer.logger=false")
        print(f"    with more space: exit code {run.end()}, {run.one_line()}")
        libc.mount(b"tmpfs", mount_point, b"tmpfs", 32 | 1, b"")  # MS_RDONLY
        run = Run("other", f"--run_root={root}", "--trainer.logger=false")
        print(f"read-only folder: exit code {run.end()}; {run.one_line()}")
    finally:
        libc.umount2(mount_point, 2)


def damage() -> None:
    """Truncate last.ckpt, and flip one of its bits."""
    for name in ("truncated", "flipped"):
        run = Run(name, "--checkpoint.every_seconds=2")
        run.until(lambda r=run: (r.folder / "checkpoints/last-1.ckpt").exists())  # type: ignore[misc]
        time.sleep(1)
        run.until(run.saves)
        run.process.kill()
        run.end()
        path = run.folder / "checkpoints/last.ckpt"
        raw = bytearray(path.read_bytes())
        if name == "truncated":
            del raw[len(raw) // 2 :]
        else:
            raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
        again = Run(name)
        again.until(again.began)
        again.until(lambda r=again: any("continuing" in line for line in r.lines))  # type: ignore[misc]
        again.process.kill()
        again.end()
        messages = [line for line in again.lines if "continuing" in line]
        print(f"{name} last.ckpt: {messages[0] if messages else again.one_line()}; {verdict(run.folder)}")


def speed() -> None:
    """Measure the time to save a checkpoint."""
    run = Run("speed", "--checkpoint.every_seconds=15")
    run.end()
    path = run.folder / "checkpoints/last.ckpt"
    content = torch.load(path, weights_only=True)
    times = []
    for _ in range(20):
        begun = time.monotonic()
        with Path("probe").open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        times.append(time.monotonic() - begun)
    print(
        f"a checkpoint of {path.stat().st_size / 1e6:.1f} MB is on disk in {sorted(times)[10] * 1000:.0f} ms (median)"
    )


def main() -> None:
    """Run the requested studies."""
    parts = {f.__name__: f for f in (kills, stops, spot, disk, damage, speed)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=parts, nargs="+")
    parser.add_argument("--scratch", type=Path, default=None, help="working folder (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = arguments.scratch or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=True)
        os.chdir(scratch)
        for what in arguments.what:
            parts[what]()


if __name__ == "__main__":
    main()
