"""Measure speed: clips per second to generate, load, train, encode and decode, and the share of the machine's peak.

    make bench            # or: python experiments/bench/bench.py [--threads 2] [--seconds 10] [--out bench.json]

The parts run one after the other in one process, with random weights, which do not affect speed. The peak is the speed
of a 2,048 x 2,048 matrix product in the same run. The share is the number of floating-point operations of a training
step, counted by torch, divided by the time of the step and the peak. If magvit2-pytorch is installed, its
VideoTokenizer is measured too, with the same token grid and in the predecessor's configuration.
"""

import argparse
import importlib.util
import json
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from trajvq.adaptation import adapt
from trajvq.augment import ObjectWindows
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.io.video import to_float
from trajvq.losses import BalancedLoss
from trajvq.metrics.background import estimate_background
from trajvq.models import CausalTokenizer
from trajvq.tasks import Reconstruct

HERE = Path(__file__).parent
CONFIG = HERE.parent.parent / "configs" / "recon.yaml"
EVAL = 32  # clips per batch, to encode and decode


def rate(work: Callable[[], int], seconds: float) -> float:
    """Return the amount of work per second; the first call is a warm-up."""
    work()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        done += work()
    return done / (time.perf_counter() - start)


def matmul_peak(seconds: float) -> float:
    """Return the floating-point operations per second of a large float32 matrix product."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)

    def work() -> int:
        torch.mm(a, b)
        return 2 * 2048**3

    return rate(work, seconds)


def bench_data(folder: Path, seconds: float) -> dict[str, float]:
    """Return clips per second to generate in one process, and to load in random order."""
    start = time.perf_counter()
    generate(folder, {"train": 2000}, workers=1)
    generated = 2000 / (time.perf_counter() - start)
    clips = Clips(folder, "train")
    order = torch.randperm(len(clips)).tolist()

    def work() -> int:
        for start in range(0, 512, 16):
            clips.batch(order[start : start + 16])
        return 512

    return {"generate": generated, "load": rate(work, seconds)}


def bench_ours(folder: Path, seconds: float, peak: float) -> dict[str, float]:
    """Return clips per second to train with the shipped settings, encode and decode, and the share of the peak."""
    settings = yaml.safe_load(CONFIG.read_text())
    init, size = settings["model"]["init_args"], settings["data"]["init_args"]["batch_size"]
    network = CausalTokenizer(**init["tokenizer"]["init_args"])
    augment, adaptation = ObjectWindows(**init["augment"]["init_args"]), adapt(Clips(folder, "train"))
    augment.adapt(adaptation)
    network.normalization.fit(adaptation.background, adaptation.contrast)
    rates = {"learning_rate": init["learning_rate"], "matrix_learning_rate": init["matrix_learning_rate"]}
    module = Reconstruct(network, BalancedLoss(**init["loss"]["init_args"]), 1000, augment, **rates)
    optimizer = module.configure_optimizers()["optimizer"]
    batch = Clips(folder, "train").batch(list(range(size)))["video"]

    def step() -> int:
        with torch.no_grad():
            video = network.normalization(to_float(batch))
            windows, background = augment(video, estimate_background(video), 0.0)
        loss = module.loss(network.reconstruct(windows), windows, background)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        return size

    network.train()
    with FlopCounterMode(display=False) as counter:
        step()
    train_rate = rate(step, seconds)
    network.eval()
    video = to_float(Clips(folder, "train").batch(list(range(EVAL)))["video"])
    with torch.inference_mode():
        indices = network.encode(video)

        def encode() -> int:
            network.encode(video)
            return EVAL

        def decode() -> int:
            network.decode(indices)
            return EVAL

        encode_rate, decode_rate = rate(encode, seconds), rate(decode, seconds)
    share = counter.get_total_flops() * train_rate / size / peak
    windows = init["augment"]["init_args"]
    whole_clips = windows["windows"] * windows["frames"] * windows["size"] ** 2 / (16 * 64 * 64)
    return {
        "train": train_rate,
        "train_whole_clips": train_rate * whole_clips,
        "encode": encode_rate,
        "decode": decode_rate,
        "peak_share": share,
    }


def bench_magvit2(layers: str, seconds: float) -> dict[str, float]:
    """Return clips per second to train and encode with magvit2-pytorch's VideoTokenizer, in batches of 4 clips."""
    sys.path.insert(0, str(HERE.parent / "blindness"))
    from magvit2 import LAYERS, LEVELS, load_library

    network = load_library().VideoTokenizer(
        image_size=64, use_fsq=True, fsq_levels=LEVELS, perceptual_loss_weight=0, use_gan=False, **LAYERS[layers]
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    video = torch.rand(4, 3, 16, 64, 64)

    def step() -> int:
        loss, _ = network(video, return_loss=True, video_contains_first_frame=False)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return 4

    def encode() -> int:
        with torch.inference_mode():
            network(video, return_codes=True, video_contains_first_frame=False)
        return 4

    return {"train": rate(step, seconds), "encode": rate(encode, seconds)}


def _cell(name: str, row: dict[str, float]) -> str:
    if name not in row:
        return ""
    return f"{row[name]:.0%}" if name == "peak_share" else f"{row[name]:,.3g}"


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10, help="time for each part")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    peak = matmul_peak(args.seconds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        rows: dict[str, dict[str, float]] = {"data": bench_data(folder, args.seconds)}
        rows["trajvq"] = bench_ours(folder, args.seconds, peak)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if importlib.util.find_spec("magvit2_pytorch"):
        rows["magvit2-pytorch, same tokens"] = bench_magvit2("tokens", args.seconds)
        rows["magvit2-pytorch, predecessor"] = bench_magvit2("seed", args.seconds)
    summary: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "threads": args.threads,
        "torch": torch.__version__,
        "matmul_gflops": peak / 1e9,
        "peak_memory_mb": memory,
        "clips_per_second": rows,
    }
    args.out.write_text(json.dumps(summary, indent=1))
    names = ["generate", "load", "train", "train_whole_clips", "encode", "decode", "peak_share"]
    title = f"clips per second · {args.threads} threads · matmul {peak / 1e9:.0f} Gflop/s · {memory:.0f} MB peak"
    table = Table(title=title, title_justify="left")
    for name in ("", *names):
        table.add_column(name.replace("_", "\n"), justify="right" if name else "left")
    for label, row in rows.items():
        table.add_row(label, *[_cell(name, row) for name in names])
    Console(width=None if Console().is_terminal else 120).print(table)
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
