"""Speed of the default tokenizer on one device: training, encoding, decoding, memory, and where the time goes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from trajvq.adaptation import adapt
from trajvq.augment import ObjectWindows
from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float
from trajvq.losses import BalancedLoss
from trajvq.metrics.background import estimate_background
from trajvq.models import CausalTokenizer
from trajvq.tasks import Reconstruct

CONFIG = Path(__file__).parents[2] / "configs" / "recon.yaml"
KERNELS = 10  # of the profile
PROFILED = 5  # steps


@dataclass(frozen=True)
class Mode:
    """How a step is computed.

    Attributes:
        name: Its name in the table.
        bf16: In bfloat16 where autocast does.
        recorded: As CUDA graphs.
        compiled: By `torch.compile`.
    """

    name: str
    bf16: bool = False
    recorded: bool = False
    compiled: bool = False


MODES = (
    Mode("float32"),
    Mode("bf16", bf16=True),
    Mode("float32, CUDA graphs", recorded=True),
    Mode("bf16, CUDA graphs", bf16=True, recorded=True),
)
COMPILED = (Mode("bf16, compiled", bf16=True, compiled=True),)


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        seconds: Time of each measurement.
        batch: Clips in a training step.
        eval_batch: Clips encoded and decoded at a time.
        matmul: Side of the matrices of the peak.
        width: Width of the tokenizer; None for the default.
    """

    seconds: float = 1.5
    batch: int = 64
    eval_batch: int = 256
    matmul: int = 8192
    width: int | None = None


def synchronize(device: torch.device) -> None:
    """Wait until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rate(work: Callable[[], Any], device: torch.device, seconds: float) -> float:
    """Return how often a piece of work is done in a second; the first three times are a warm-up."""
    for _ in range(3):
        work()
    synchronize(device)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        work()
        synchronize(device)
        done += 1
    return done / (time.perf_counter() - start)


def matmul_peak(device: torch.device, dtype: torch.dtype, scale: Scale) -> float:
    """Return the floating-point operations per second of a large matrix product."""
    a, b = (torch.randn(scale.matmul, scale.matmul, device=device, dtype=dtype) for _ in range(2))
    return rate(lambda: torch.mm(a, b), device, scale.seconds) * 2 * scale.matmul**3


def copy_peak(device: torch.device, scale: Scale) -> float:
    """Return the bytes per second, read and written, of a large copy on the device."""
    source = torch.randn(scale.matmul**2, device=device)
    target = torch.empty_like(source)
    return rate(lambda: target.copy_(source), device, scale.seconds) * 2 * source.nbytes


class Step:
    """One training step of the default tokenizer, as the shipped config trains it.

    Args:
        folder: The dataset.
        device: Where to train.
        scale: How much.
        mode: How.
    """

    def __init__(self, folder: Path, device: torch.device, scale: Scale, mode: Mode) -> None:
        init = yaml.safe_load(CONFIG.read_text())["model"]["init_args"]
        settings = init["tokenizer"]["init_args"] | ({"width": scale.width} if scale.width else {})
        torch.manual_seed(0)
        self.network, adaptation = CausalTokenizer(**settings), adapt(Clips(folder, "train"))
        self.network.normalization.fit(adaptation.background, adaptation.contrast)
        self.augment = ObjectWindows(**init["augment"]["init_args"])
        self.augment.adapt(adaptation)
        rates = {name: init[name] for name in ("learning_rate", "matrix_learning_rate")}
        loss = BalancedLoss(**init["loss"]["init_args"])
        self.module = Reconstruct(self.network, loss, 1000, self.augment, cuda_graphs=mode.recorded, **rates)
        self.module.to(device)
        self.optimizer = self.module.configure_optimizers()["optimizer"]
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=mode.bf16)
        self.measure: Any = self.module.recorded if mode.recorded else self.module.recorded.module
        if mode.compiled:
            self.measure = torch.compile(self.measure)
        self.clips = Clips(folder, "train").batch(list(range(scale.batch)))["video"].to(device)

    def __call__(self) -> None:
        """Take one step."""
        for _, work in self.phases():
            work()

    def phases(self) -> list[tuple[str, Callable[[], None]]]:
        """Return the parts of a step by name, to be done in this order."""
        return [
            ("augment", self._augment),
            ("forward", self._forward),
            ("backward", self._backward),
            ("optimizer", self._update),
        ]

    @torch.no_grad()
    def _augment(self) -> None:
        video = self.network.normalization(to_float(self.clips))
        self.windows, self.background = self.augment(video, estimate_background(video), 0.0)

    def _forward(self) -> None:
        with self.autocast:
            self.loss, _ = self.measure(self.windows, self.background)

    def _backward(self) -> None:
        self.optimizer.zero_grad()
        self.loss.backward()

    def _update(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()


def measure_speed(
    folder: Path, device: torch.device, scale: Scale, modes: Sequence[Mode]
) -> dict[str, dict[str, float]]:
    """Return clips per second, memory and the share of the device's own peak, by mode."""
    rows: dict[str, dict[str, float]] = {"copy": {"peak_gb_per_s": copy_peak(device, scale) / 1e9}}
    for mode in modes:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        peak = matmul_peak(device, torch.bfloat16 if mode.bf16 else torch.float32, scale)
        with FlopCounterMode(display=False) as counter:
            Step(folder, device, scale, Mode("", mode.bf16))()
        step = Step(folder, device, scale, mode)
        step.network.train()
        steps = rate(step, device, scale.seconds)
        rows[mode.name] = {
            "train_clips_per_s": steps * scale.batch,
            "step_ms": 1000 / steps,
            "peak_tflops": peak / 1e12,
            "share_of_peak": counter.get_total_flops() * steps / peak,
            **_coding(step, folder, device, scale),
        }
        if device.type == "cuda":
            rows[mode.name]["memory_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
        print(f"  {mode.name}: {rows[mode.name]}", flush=True)
    return rows


def _coding(step: Step, folder: Path, device: torch.device, scale: Scale) -> dict[str, float]:
    """Return clips per second to encode and decode."""
    split = Clips(folder, "train")
    rows = [row % len(split) for row in range(scale.eval_batch)]
    video, network = to_float(split.batch(rows)["video"].to(device)), step.network.eval()
    with torch.inference_mode(), step.autocast:
        indices = network.encode(video)
        encode = rate(lambda: network.encode(video), device, scale.seconds)
        decode = rate(lambda: network.decode(indices), device, scale.seconds)
    return {"encode_clips_per_s": encode * scale.eval_batch, "decode_clips_per_s": decode * scale.eval_batch}


def measure_profile(folder: Path, device: torch.device, scale: Scale) -> dict[str, Any]:
    """Return where the time of a default training step goes: its parts, its kernels, and the wait for the host."""
    step = Step(folder, device, scale, Mode("float32"))
    figures: dict[str, Any] = {"milliseconds": phases(step, device)}
    if device.type == "cuda":
        figures["milliseconds, CUDA graphs"] = phases(Step(folder, device, scale, Mode("", recorded=True)), device)
    on_device = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_device else [])]
    start = time.perf_counter()
    with profile(activities=activities) as profiler:
        for _ in range(PROFILED):
            step()
        synchronize(device)
    wall = time.perf_counter() - start
    kind = DeviceType.CUDA if on_device else DeviceType.CPU  # on a GPU kernels alone: operators count them once more
    times = {
        event.key: (event.self_device_time_total if on_device else event.self_cpu_time_total) / 1e6
        for event in profiler.key_averages()
        if event.device_type == kind and not event.is_user_annotation
    }
    busy = sum(times.values())
    top = sorted(times.items(), key=lambda item: -item[1])[:KERNELS]
    kernels = [{"kernel": name[:80], "share": seconds / busy} for name, seconds in top]
    return figures | {"host_share": max(1 - busy / wall, 0.0), "kernels": kernels}


def phases(step: Step, device: torch.device) -> dict[str, float]:
    """Return the milliseconds of each part of a step, with a wait for the device after each."""
    step.network.train()
    for _ in range(3):
        step()
    times = {name: 0.0 for name, _ in step.phases()}
    for _ in range(PROFILED):
        for name, work in step.phases():
            start = time.perf_counter()
            work()
            synchronize(device)
            times[name] += 1000 / PROFILED * (time.perf_counter() - start)
    return times
