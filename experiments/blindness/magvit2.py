"""Train magvit2-pytorch's VideoTokenizer on a dataset folder for some minutes, and save its reconstruction of `test`.

    python experiments/blindness/magvit2.py --data datasets/default --layers tokens --minutes 9 --out magvit2.npz

Use a separate environment, because its dependencies conflict with ours:
`pip install torch==2.13.0 magvit2-pytorch==0.5.1 h5py hdf5plugin`. A stub replaces torchvision, which the library only
needs for the weights of a perceptual loss that is switched off here.
"""

import argparse
import importlib.machinery
import json
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import h5py
import hdf5plugin  # noqa: F401 - registers the filter
import numpy as np
import torch

from trajvq.io.video import to_float

LEVELS = [8, 5, 5, 5]
LAYERS: dict[str, dict[str, Any]] = {
    # the predecessor's: no compression at all, one token per pixel
    "seed": {"init_dim": 64, "layers": ("residual", "residual")},
    # 4 x 8 x 8 tokens, as in trajvq
    "tokens": {
        "init_dim": 32,
        "layers": (
            "residual",
            ("compress_space", 48),
            ("compress_space", 64),
            ("compress_space", 96),
            ("compress_time", 96),
            ("compress_time", 96),
            "residual",
        ),
    },
}


def load_library() -> Any:
    """Import magvit2-pytorch without torchvision."""
    for name in ("torchvision", "torchvision.models", "torchvision.transforms", "torchvision.utils"):
        stub = MagicMock()
        stub.__spec__, stub.__path__ = importlib.machinery.ModuleSpec(name, None), []
        sys.modules[name] = stub
    sys.modules["torchvision.models"].VGG16_Weights = type("VGG16_Weights", (), {"DEFAULT": None})  # type: ignore[attr-defined]
    import magvit2_pytorch

    return magvit2_pytorch


def read(folder: Path, split: str) -> np.ndarray:
    """Read all clips of a split, uint8 ``(N, T, 3, H, W)``."""
    manifest = json.loads((folder / "manifest.json").read_text())
    parts = []
    for entry in manifest["splits"][split]:
        with h5py.File(folder / entry["file"]) as file:
            parts.append(file["video"][:])
    return np.concatenate(parts)


def main() -> None:
    """Train, reconstruct and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--layers", choices=LAYERS, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    network = load_library().VideoTokenizer(
        image_size=64,
        channels=3,
        use_fsq=True,
        fsq_levels=LEVELS,
        use_gan=False,
        perceptual_loss_weight=0.0,
        **LAYERS[args.layers],
    )
    clips, rng = read(args.data, "train"), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.learning_rate)
    start, step, clips_used = time.monotonic(), 0, 0
    while (done := (time.monotonic() - start) / (60 * args.minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * min((step + 1) / 20, 1.0, 5 * (1 - done))
        batch = clips[rng.choice(len(clips), args.batch, replace=False)]
        video = to_float(torch.from_numpy(batch))
        loss, _ = network(video, return_loss=True, video_contains_first_frame=False)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step, clips_used = step + 1, clips_used + len(batch)
        if step % 20 == 0:
            print(
                f"{done:.0%} step {step} loss {loss.item():.5f} {clips_used / (time.monotonic() - start):.2f} clips/s",
                flush=True,
            )
    reconstructions, tokens = [], []
    network.eval()
    test = read(args.data, "test")
    with torch.no_grad():
        for clip in test:
            video = torch.from_numpy(clip)[None].transpose(1, 2).float() / 255
            codes = network(video, return_codes=True, video_contains_first_frame=False)
            reconstruction = network.decode_from_code_indices(codes, video_contains_first_frame=False)
            reconstructions.append((reconstruction[0].transpose(0, 1).clamp(0, 1) * 255).round().byte().numpy())
            tokens.append(codes[0].numpy())
    np.savez_compressed(
        args.out, video=np.stack(reconstructions), indices=np.stack(tokens), codebook_size=int(np.prod(LEVELS))
    )
    weights = sum(p.numel() for p in network.parameters())
    print(
        f"{args.out}: {weights:,} weights, {step} steps, "
        f"{clips_used / (time.monotonic() - start):.2f} clips/s with testing"
    )


if __name__ == "__main__":
    main()
