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
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trajvq.models.sampling import Sampling
from trajvq.tokens.drawing import BATCH, chance_of, draw_clips, load_generator


def speed(work: Callable[[], Any], amount: float, seconds: float = 2.0) -> float:
    """Return how much is done a second, after a first round that does not count."""
    work()
    rounds, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        work()
        rounds += 1
    return rounds * amount / (time.perf_counter() - begun)


def timed(owner: object, name: str, seconds: dict[str, float], part: str) -> None:
    """Let a method add its time to a part's."""
    method = getattr(owner, name)

    def call(*given: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return method(*given, **named)
        finally:
            seconds[part] += time.perf_counter() - begun

    object.__setattr__(owner, name, call)


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
    big, copy = torch.randn(2048, 2048), torch.empty(2**26)
    peak = speed(lambda: big @ big, 2 * 2048**3)
    read = speed(copy.clone, 2 * copy.numel() * 4)  # it is read and written
    print(f"{asked.threads} threads: {peak / 1e9:.0f} Gflop/s, {read / 1e9:.1f} GB/s")

    with torch.no_grad():  # operations of every part, for one batch
        chances = [chance_of(0, k % len(loaded.classes), k) for k in range(BATCH)]
        label = torch.arange(BATCH) % max(len(loaded.classes), 1)
        counts: dict[str, float] = {}
        with FlopCounterMode(display=False, depth=6) as counter:
            made = network.rollout(chances, label, how=how)
        found = counter.get_flop_counts()
        whole = {name.removeprefix("Generator."): sum(ops.values()) for name, ops in found.items()}
        with FlopCounterMode(display=False) as counter:
            loaded.tokenizer.decode(made.tokens)
        counts["decoder"] = counter.get_total_flops()
        for part, names in {
            "planner": ("planner",),
            "in turn": ("transformer", "head", "embedding", "offsets", "label"),
            "rest": ("rest", "blocks", "shown", "hidden"),
        }.items():
            counts[part] = sum(whole.get(name, 0) for name in names)

    seconds: dict[str, float] = defaultdict(float)
    timed(network.planner, "rollout", seconds, "planner")
    timed(network, "_tell", seconds, "in turn")
    timed(network, "_ground", seconds, "rest")
    timed(network.rest, "forward", seconds, "rest")
    steps, total = 0, 0.0
    for number in range(asked.batches):
        begun = time.perf_counter()
        for drawn in draw_clips(network, [number % max(len(loaded.classes), 1)], BATCH, seed=number, how=how):
            middle = time.perf_counter()
            loaded.tokenizer.decode(drawn.tokens)
            seconds["decoder"] += time.perf_counter() - middle
            near = network.offsets.near(drawn.path, network.reach).sum(dim=1).amax() if drawn.path is not None else 256
            steps += int(near)
        total += time.perf_counter() - begun
    t, frames = asked.batches, network.layout.grid[0] * network.layout.frames
    bytes_read = {
        "planner": weights(network.planner) * frames,
        "in turn": weights(network.transformer, network.head, network.embedding) * steps / t,
        "rest": weights(network.blocks, network.rest, network.shown, network.hidden),
        "decoder": weights(loaded.tokenizer.network),
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
