"""Measure where sampling spends its time, against the floor of doing the arithmetic and reading the weights.

python experiments/sampling/speed.py [--ckpt_path runs/sample/latest/checkpoints/best.ckpt] [--threads 1] [--batches 4]

Samples batches of 64 clips and times the parts: the trajectory model, the object tokens (one by one, with the key and
value cache), the background tokens (in parallel), and the decoder. The floor of a part is the larger of two times: that
of its floating-point operations, as torch counts them, at the speed of a matrix product of 2,048 x 2,048; and that of
reading its weights once per step, at the speed of copying 256 MB. The rest is the overhead of many small steps.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trajvq.models import AutoregressiveTokens, Generator
from trajvq.models.sampling import Sampling
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.sampling import BATCH, load_generator, sample_clips


def speed(work: Callable[[], Any], amount: float, seconds: float = 2.0) -> float:
    """Return the amount of work per second; the first call is a warm-up."""
    work()
    rounds, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        work()
        rounds += 1
    return rounds * amount / (time.perf_counter() - start)


class Parts:
    """Seconds of each part, and its floating-point operations in the first batch."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.operations: dict[str, float] = defaultdict(float)
        self.counting = True

    def run(self, part: str, work: Callable[[], Any]) -> Any:
        """Do some work of a part: count operations in the first batch, measure time in the others."""
        if self.counting:
            with FlopCounterMode(display=False) as counter:
                output = work()
            self.operations[part] += counter.get_total_flops()
            return output
        start = time.perf_counter()
        output = work()
        self.seconds[part] += time.perf_counter() - start
        return output

    def watch(self, owner: object, name: str, part: str) -> None:
        """Measure a method as a part."""
        method = getattr(owner, name)
        object.__setattr__(owner, name, lambda *args, **kwargs: self.run(part, lambda: method(*args, **kwargs)))


def weights(*modules: nn.Module) -> int:
    """Return the size of the weights of some modules in bytes."""
    return sum(4 * p.numel() for module in modules for p in module.parameters())


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt_path", type=Path, default=Path("runs/sample/latest/checkpoints/best.ckpt"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    loaded = load_generator(args.ckpt_path)
    network, sampling = loaded.network, Sampling(**loaded.sampling)
    trajectory, tokens = network.trajectory, network.tokens
    if trajectory is None or not isinstance(tokens, AutoregressiveTokens) or tokens.background is None:
        parser.error(f"{args.ckpt_path} has no trajectory model, or other tokens than AutoregressiveTokens")
    large, memory_block = torch.randn(2048, 2048), torch.empty(2**26)
    peak = speed(lambda: large @ large, 2 * 2048**3)
    bandwidth = speed(memory_block.clone, 2 * memory_block.numel() * 4)  # it is read and written
    print(f"{args.threads} threads: {peak / 1e9:.0f} Gflop/s, {bandwidth / 1e9:.1f} GB/s")

    parts, steps, total = Parts(), 0, 0.0
    parts.watch(trajectory, "sample", "trajectory")
    parts.watch(tokens.transformer, "forward", "object tokens")
    parts.watch(tokens.background, "forward", "background tokens")
    parts.watch(tokens.background.head, "sample", "background codes")
    for number in range(-1, args.batches):
        parts.counting = number < 0
        start = time.perf_counter()
        label = [max(number, 0) % max(len(loaded.classes), 1)]
        for clips in sample_clips(network, label, BATCH, seed=number + 1, sampling=sampling):
            parts.run("decoder", partial(loaded.tokenizer.decode, clips.tokens))
        if number >= 0:
            total += time.perf_counter() - start
            steps += int(tokens.cells.offsets.object_mask(clips.tracks, tokens.radius).sum(dim=1).amax())
    report(parts, steps / args.batches, total, args.batches, (peak, bandwidth), network, loaded.tokenizer)


def report(
    parts: Parts,
    steps: float,
    total: float,
    batches: int,
    speeds: tuple[float, float],
    network: Generator,
    tokenizer: FrozenTokenizer,
) -> None:
    """Print the parts as a table."""
    frames = network.layout.grid[0] * network.layout.frames
    bytes_read = {
        "trajectory": weights(network.trajectory) * frames,
        "object tokens": weights(network.tokens.transformer) * steps,
        "background tokens": weights(network.tokens.background),
        "background codes": weights(network.tokens.background.head),
        "decoder": weights(tokenizer.network.decoder),
    }
    parts.seconds["everything else"] = total - sum(parts.seconds.values())
    print(f"{batches * BATCH / total:.1f} clips/s in batches of {BATCH}; {steps:.0f} object tokens per batch")
    print("| part | ms per batch | share | arithmetic, ms | weights, ms | time / floor |\n|---|---|---|---|---|---|")
    for part, seconds in parts.seconds.items():
        share, milliseconds = seconds / total, 1e3 * seconds / batches
        if part not in bytes_read:
            print(f"| {part} | {milliseconds:.0f} | {share:.0%} | | | |")
            continue
        arithmetic, reading = 1e3 * parts.operations[part] / speeds[0], 1e3 * bytes_read[part] / speeds[1]
        ratio = milliseconds / max(arithmetic, reading)
        print(f"| {part} | {milliseconds:.0f} | {share:.0%} | {arithmetic:.1f} | {reading:.1f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
