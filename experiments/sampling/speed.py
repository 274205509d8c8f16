"""Where the time of sampling goes, against the floor of reading the weights and doing the arithmetic.

python experiments/sampling/speed.py [--ckpt_path runs/sample/latest/checkpoints/best.ckpt] [--threads 1] [--batches 4]

Draws batches of 64 clips and times the parts: the planner, the tokens told in turn with the key and value cache, the
rest of them at once, and the decoder. The floor of a part is the longer of two times: that of its floating-point
operations, as torch counts them, at the speed of a matrix product of 2,048 x 2,048, and that of reading its weights
from memory once a step, at the speed of a copy of 256 MB. What lies above is the overhead of many small steps.
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

from trajvq.models.sampling import Sampling
from trajvq.tokens.sampling import BATCH, load_generator, sample_clips


def speed(work: Callable[[], Any], amount: float, seconds: float = 2.0) -> float:
    """Return how much is done a second, after a first round that does not count."""
    work()
    rounds, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        work()
        rounds += 1
    return rounds * amount / (time.perf_counter() - begun)


class Parts:
    """Seconds that the parts took, and their floating-point operations in the first batch."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.operations: dict[str, float] = defaultdict(float)
        self.counting = True

    def run(self, part: str, work: Callable[[], Any]) -> Any:
        """Do some work of a part; the first batch is counted, those after it are timed."""
        if self.counting:
            with FlopCounterMode(display=False) as counter:
                made = work()
            self.operations[part] += counter.get_total_flops()
            return made
        begun = time.perf_counter()
        made = work()
        self.seconds[part] += time.perf_counter() - begun
        return made

    def watch(self, owner: object, name: str, part: str) -> None:
        """Let a method belong to a part."""
        method = getattr(owner, name)
        object.__setattr__(owner, name, lambda *given, **named: self.run(part, lambda: method(*given, **named)))


def weights(*modules: nn.Module) -> int:
    """Return the bytes of the weights of some modules."""
    return sum(4 * p.numel() for module in modules for p in module.parameters())


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt_path", type=Path, default=Path("runs/sample/latest/checkpoints/best.ckpt"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, default=4)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.set_flush_denormal(True)
    loaded = load_generator(asked.ckpt_path)
    network, how = loaded.network, Sampling(**loaded.sampling)
    if not network.plan:
        parser.error(f"{asked.ckpt_path} draws in raster order; this measures a generator with a planner")
    big, copy = torch.randn(2048, 2048), torch.empty(2**26)
    peak = speed(lambda: big @ big, 2 * 2048**3)
    read = speed(copy.clone, 2 * copy.numel() * 4)  # it is read and written
    print(f"{asked.threads} threads: {peak / 1e9:.0f} Gflop/s, {read / 1e9:.1f} GB/s")

    parts, steps, total = Parts(), 0, 0.0
    parts.watch(network.planner, "rollout", "planner")
    parts.watch(network, "_tell", "in turn")
    parts.watch(network, "_ground", "rest")
    parts.watch(network.rest, "forward", "rest")
    for number in range(-1, asked.batches):
        parts.counting = number < 0
        begun = time.perf_counter()
        label = [max(number, 0) % max(len(loaded.classes), 1)]
        for drawn in sample_clips(network, label, BATCH, seed=number + 1, how=how):
            parts.run("decoder", partial(loaded.tokenizer.decode, drawn.tokens))
        if number >= 0:
            total += time.perf_counter() - begun
            steps += int(network.offsets.near(drawn.path, network.reach).sum(dim=1).amax())
    seconds, counts = parts.seconds, parts.operations
    t, frames = asked.batches, network.layout.grid[0] * network.layout.frames
    bytes_read = {
        "planner": weights(network.planner) * frames,
        "in turn": weights(network.transformer, network.head, network.embedding) * steps / t,
        "rest": weights(network.blocks, network.rest, network.shown, network.hidden),
        "decoder": weights(loaded.tokenizer.network.decoder),
    }
    seconds["everything else"] = total - sum(seconds.values())
    print(f"{t * BATCH / total:.1f} clips/s in batches of {BATCH}; {steps / t:.0f} tokens told in turn a batch")
    print("| part | ms a batch | share | arithmetic, ms | weights, ms | times the floor |\n|---|---|---|---|---|---|")
    for part, spent in seconds.items():
        share, spent = spent / total, spent / t
        if part not in counts:
            print(f"| {part} | {1e3 * spent:.0f} | {share:.0%} | | | |")
            continue
        work, memory = counts[part] / peak, bytes_read[part] / read
        times = spent / max(work, memory)
        print(f"| {part} | {1e3 * spent:.0f} | {share:.0%} | {1e3 * work:.1f} | {1e3 * memory:.1f} | {times:.1f} |")


if __name__ == "__main__":
    main()
