"""Measure the peak memory of encoding and decoding clips of several lengths and sizes, each in its own Linux process.

python experiments/long_clips/measure.py --out runs/long_clips.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import torch

from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import PRESETS
from trajvq.io.files import write_text
from trajvq.io.video import to_float
from trajvq.tokens import FrozenTokenizer

SHAPES = [(64, 64), (1024, 64), (64, 256), (256, 256)]  # frames, and the side of a picture in pixels
CLIPS = 2
WAYS = ("nothing", "tokenize", "predict", "at once")
AT_ONCE = 2**25  # most pixels that are encoded and decoded at once
MEGABYTE = 1e6


def work(way: str, folder: Path, checkpoint: Path) -> None:
    """Encode, or encode and decode, the clips of a folder; print the peak memory of this process in MB."""
    data = [f"--data.path={folder}", "--data.predict_split=test"]
    if way == "tokenize":
        main(["tokenize", str(folder), "--tokenizer=default", f"--out={folder}.h5", f"--token_folder={folder}-tokens"])
    elif way == "predict":
        main(["predict", "--config=recon", *data, f"--ckpt_path={checkpoint}"])
    elif way == "at once":
        tokenizer, clips = FrozenTokenizer("default"), Clips(folder, "test")
        video = to_float(clips.batch(list(range(CLIPS)))["video"])
        with torch.no_grad():
            tokens = tokenizer.network.encode(video)  # type: ignore[operator]
            tokenizer.network.decode(tokens)  # type: ignore[operator]
        with h5py.File(f"{folder}.h5") as file:
            different = int((torch.from_numpy(file["test/tokens"][:]).long() != tokens).sum())
        print(json.dumps({"different tokens": different, "tokens": tokens.numel()}))
    else:
        FrozenTokenizer("default")
    # `resource.getrusage` would count the memory of the process that started this one.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"MB": round(1024 * int(peak.split()[1]) / MEGABYTE)}))


def measure(out: Path) -> None:
    """Make the clips, measure every way and print a table."""
    rows = []
    splits = dict.fromkeys(PRESETS["default"].clips, 0)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        generate(root / "train", splits | {"train": 8, "val": 2}, frames=16)
        steps = ["--trainer.max_steps=1", "--trainer.val_check_interval=1", "--trainer.logger=false"]
        start = ["fit", "--config=recon", f"--data.path={root / 'train'}", "--model.init_from=default", *steps]
        subprocess.run(
            [sys.executable, "-m", "trajvq", *start, f"--run_root={root / 'runs'}", "--run=a"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for frames, side in SHAPES:
            folder = root / f"{frames}x{side}"
            generate(folder, splits | {"test": CLIPS}, frames=frames, size=side)
            row: dict[str, object] = {"frames": frames, "side": side}
            for way in WAYS:
                if way == "at once" and CLIPS * frames * side**2 > AT_ONCE:
                    continue
                process = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
                checkpoint = ["--checkpoint", str(root / "runs/a/checkpoints/best.ckpt")]
                output = subprocess.run([*process, *checkpoint], check=True, stdout=subprocess.PIPE, text=True).stdout
                results = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
                row[way] = results.pop()["MB"]
                row |= results[0] if results else {}
            rows.append(row)
            print(row, flush=True)
    write_text(out, json.dumps({"clips": CLIPS, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/long_clips.json"))
    parser.add_argument("--way", choices=WAYS, help="measure this way alone, in this process")
    parser.add_argument("--folder", type=Path, help="the clips, with --way")
    parser.add_argument("--checkpoint", type=Path, help="for --way predict")
    args = parser.parse_args()
    if args.way:
        work(args.way, args.folder, args.checkpoint)
    else:
        measure(args.out)
