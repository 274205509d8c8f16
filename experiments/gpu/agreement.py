"""Whether a device computes what the CPU computes: tokens, reconstructions, causality, and samples by seed."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float
from trajvq.tokens import load_tokenizer
from trajvq.tokens.sampling import load_generator, sample_clips

CLIPS = 16


def tokenizer_agreement(folder: Path, device: torch.device) -> dict[str, Any]:
    """Return how the default weights behave on the device, and how far they agree with the CPU."""
    video = to_float(Clips(folder, "val").batch(list(range(CLIPS)))["video"])
    network = load_tokenizer("default").eval()
    with torch.inference_mode():
        indices = network.encode(video)
        reconstruction = network.decode(indices)
        network, video = network.to(device), video.to(device)
        there = network.encode(video)
        with torch.autocast(device.type, torch.bfloat16):
            half = network.encode(video)
        changed = video.clone()
        changed[:, :, 8:] = 1 - changed[:, :, 8:]
        stride = network.strides[0]
        return {
            "same_tokens": _share(there.cpu() == indices),
            "same_tokens_bf16": _share(half.cpu() == indices),
            "largest_difference_of_pixels": float(
                (network.decode(indices.to(device)).cpu() - reconstruction).abs().max()
            ),
            "decode_encode_is_the_reconstruction": torch.equal(network.decode(there), network(video)),
            "causal": torch.equal(network.encode(changed)[:, : 8 // stride], there[:, : 8 // stride]),
        }


def sample_agreement(checkpoint: Path, device: torch.device, count: int) -> dict[str, Any]:
    """Return how far samples of the same seed agree between the device and the CPU.

    Args:
        checkpoint: Of a generator.
        device: The device.
        count: Clips of each class.
    """
    loaded = load_generator(checkpoint)
    labels = list(range(len(loaded.classes)))
    sides = []
    for where in (torch.device("cpu"), device):
        batches = list(sample_clips(loaded.network.to(where), labels, count))
        tracks = [batch.tracks for batch in batches if batch.tracks is not None]
        sides.append((torch.cat([batch.tokens for batch in batches]), torch.cat(tracks) if tracks else None))
    (here, here_tracks), (there, there_tracks) = sides
    figures: dict[str, Any] = {"same_tokens": _share(here == there)}
    if here_tracks is not None and there_tracks is not None:
        figures["largest_difference_of_tracks"] = float((here_tracks - there_tracks).abs().max())
    return figures


def compare_files(first: Path, second: Path) -> dict[str, float]:
    """Return the share of equal values of each array of two HDF5 files, and the largest difference of floats."""
    figures = {}
    with h5py.File(first) as a, h5py.File(second) as b:
        for name in sorted(set(a) & set(b)):
            one, two = a[name][:], b[name][:]
            if one.dtype.kind == "f":
                figures[f"{name}, largest difference"] = float(np.nanmax(np.abs(one - two), initial=0.0))
            else:
                figures[f"{name}, same"] = float((one == two).mean())
    return figures


def _share(equal: torch.Tensor) -> float:
    return float(equal.double().mean())
