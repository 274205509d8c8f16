"""Compress the clips of a split with H.264 at about the bits of the tokens, as a reference.

    python experiments/measurement/codec.py --data DIR --out h264.npz [--bits 2551]

One quantizer setting serves the whole split and meets the target bits on average. Stream headers are not counted,
because a receiver needs them only once.
"""

import argparse
import io
from pathlib import Path

import av
import numpy as np

from trajvq.data.storage.clips import Clips

COARSEST = 51


def pass_through(clip: np.ndarray, quantizer: int) -> tuple[np.ndarray, int]:
    """Encode and decode uint8 ``(T, 3, H, W)``; return the clip and its bits."""
    file, size = io.BytesIO(), 0
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = clip.shape[3], clip.shape[2], "yuv444p"
        stream.options = {"qp": str(quantizer), "preset": "veryslow", "x264-params": "keyint=infinite:scenecut=0"}
        for frame in clip.transpose(0, 2, 3, 1):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            for packet in stream.encode(picture):
                size += packet.size
                container.mux(packet)
        for packet in stream.encode():
            size += packet.size
            container.mux(packet)
    file.seek(0)
    with av.open(file) as container:
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    return decoded.transpose(0, 3, 1, 2), 8 * size


def main() -> None:
    """Choose the quantizer, encode the split and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--bits", type=float, default=2551.0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    clips = Clips(args.data, args.split)
    video = clips.batch(list(range(len(clips))))["video"].numpy()
    sample = video[:: max(len(video) // 40, 1)]
    header = pass_through(np.full_like(video[0], 255), COARSEST)[1]  # of a white clip: mostly a comment by x264
    low, high = 10, COARSEST
    while low < high:
        middle = (low + high) // 2
        mean = np.mean([pass_through(clip, middle)[1] for clip in sample]) - header
        low, high = (low, middle) if mean <= args.bits else (middle + 1, high)
    videos, sizes = zip(*(pass_through(clip, low) for clip in video), strict=True)
    np.savez_compressed(args.out, video=np.stack(videos))
    print(f"{args.out}: quantizer {low}, {np.mean(sizes) - header:,.0f} bits per clip beside a header of {header:,}")


if __name__ == "__main__":
    main()
