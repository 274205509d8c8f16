"""``trajvq sample``: clips of the classes asked for, as a dataset, a sheet and an animation."""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trajvq.commands.parser import Parser
from trajvq.data.storage.shards import Manifest
from trajvq.data.storage.splits import new_dataset, write_split
from trajvq.errors import UserError
from trajvq.io.files import file_sha256
from trajvq.io.video import to_uint8
from trajvq.models.sampling import Sampling
from trajvq.report.samples import sample_sheet, save_animation
from trajvq.report.strips import save_png
from trajvq.runs.folder import LATEST, best
from trajvq.tokens.sampling import ANY, BATCH, Loaded, load_generator, sample_clips

SHOWN = 64  # clips of a class on the sheet, and half as many in all that move
SPLITS = ("train", "val", "test")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="trajvq sample", description="Draw clips by class and write them as a dataset.")
    parser.add_argument("--out", type=Path, required=True, help="dataset folder to make")
    parser.add_argument(
        "--label", default="all", help="name or number of a class, `all` in turn, or `any`, class_dropout"
    )
    parser.add_argument("--num", type=int, default=16, metavar="N", help="clips of each class in split train")
    for split in SPLITS[1:]:
        parser.add_argument(
            f"--{split}", type=int, default=0, metavar="N", help=f"clips of each class in split {split}"
        )
    parser.add_argument(
        "--ckpt_path",
        default=str(best(Path("runs/sample") / LATEST)),
        help="checkpoint of the generator (default: %(default)s)",
    )
    parser.add_argument("--tokenizer_ckpt", help="the tokenizer, if it is not where it was in training")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same clips (default: 0)")
    parser.add_argument("--frames", type=int, help="frames of a clip; more than in training go on from the last ones")
    parser.add_argument("--temperature", type=float, default=None, help="of codes; 0 takes the likeliest")
    parser.add_argument("--top_p", type=float, default=None, help="choose codes among the likeliest of this share")
    parser.add_argument("--noise-scale", type=float, default=None, help="of planned points; 0 takes the likeliest")
    parser.add_argument("--guidance", type=float, default=None, help="weight of the class")
    parser.add_argument("--batch_size", type=int, default=BATCH, help="clips drawn at once (default: %(default)s)")
    parser.add_argument("--animation", choices=("webp", "gif", "none"), default="webp", help="(default: webp)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq sample``; returns the exit code.

    Raises:
        UserError: With one line for the user.
    """
    asked = _parser().parse_args(arguments)
    counts = {split: count for split, count in zip(SPLITS, (asked.num, asked.val, asked.test), strict=True) if count}
    if min(counts.values(), default=0) < 1 or asked.batch_size < 1:
        raise UserError("ask for at least one clip: --num N, --val N, --test N, --batch_size N")
    made = load_generator(asked.ckpt_path, asked.tokenizer_ckpt)
    print(f"checkpoint: {asked.ckpt_path} (sha256 {_hash(asked.ckpt_path)})  tokenizer: {made.tokenizer}", flush=True)
    labels = labels_of(asked.label, made.classes)
    frames, how = _latent_frames(asked.frames, made), sampling_of(made, vars(asked))
    t, h, w = made.network.layout.grid
    strides: Any = made.tokenizer.network.strides
    classes = made.classes if labels != [ANY] else []
    size = (frames or t) * strides[0], h * strides[1], w * strides[2]
    manifest = Manifest(f"samples of {asked.ckpt_path}", asked.seed, *size, classes=classes)
    shown: dict[str, list[np.ndarray[Any, np.dtype[np.uint8]]]] = {}
    start, first = time.monotonic(), 0

    def clips(count: int) -> Iterator[dict[str, Any]]:
        for drawn in sample_clips(made.network, labels, count, asked.seed, how, frames, asked.batch_size, first):
            video = to_uint8(made.tokenizer.decode(drawn.tokens))
            for label, clip in zip(drawn.label.tolist(), video, strict=True):
                kept = shown.setdefault(classes[label] if classes else "any class", [])
                if len(kept) < SHOWN:
                    kept.append(clip)
                yield {"video": clip} | ({"label": np.int64(label)} if classes else {})

    with new_dataset(asked.out) as folder:
        for split, count in counts.items():
            write_split(folder, manifest, split, clips(count))
            first += count
        manifest.write(folder)
    total = sum(counts.values()) * len(labels)
    seconds = time.monotonic() - start
    print(f"{asked.out}: {total:,} clips in {seconds:.1f} s, {total / seconds:.1f}/s; sha256 {manifest.sha256[:12]}")
    save_png(sample_sheet({name: np.stack(part) for name, part in shown.items()}), asked.out / "samples.png")
    if asked.animation != "none":
        each = max(SHOWN // 2 // len(shown), 1)
        moving = np.concatenate([np.stack(part[:each]) for part in shown.values()])
        save_animation(moving, asked.out / f"samples.{asked.animation}")
    print(f"pictures: {asked.out / 'samples.png'}" + f", .{asked.animation}" * (asked.animation != "none"))
    return 0


def labels_of(asked: str, classes: list[str]) -> list[int]:
    """Return the classes that a name, a number, ``all`` or ``any`` stands for.

    Raises:
        UserError: If there is no such class.
    """
    if asked == "any" or (asked == "all" and not classes):
        return [ANY]
    if asked == "all":
        return list(range(len(classes)))
    if asked in classes:
        return [classes.index(asked)]
    if asked.isdigit() and int(asked) < len(classes):
        return [int(asked)]
    raise UserError(f"--label {asked}: there is no such class; known: {', '.join(classes) or 'none'}, all, any")


def sampling_of(made: Loaded, given: dict[str, Any]) -> Sampling:
    """Return how to draw: as the checkpoint was set up to, but for what is given.

    Raises:
        UserError: If a value is out of range.
    """
    names = ("temperature", "top_p", "noise_scale", "guidance")
    try:
        return Sampling(**made.sampling | {name: given[name] for name in names if given[name] is not None})
    except ValueError as error:
        raise UserError(str(error)) from None


def _latent_frames(frames: int | None, made: Loaded) -> int | None:
    if frames is None:
        return None
    each = made.network.layout.frames
    if frames < each or frames % each:
        raise UserError(f"--frames {frames}: a token covers {each} frames; give a multiple of {each}")
    trained = made.network.layout.grid[0]
    if frames > trained * each:
        print(f"{frames} frames are more than the {trained * each} of training: each {each} go on from the last ones")
    return frames // each


def _hash(path: str) -> str:
    from trajvq.io.cache import local_copy

    return file_sha256(local_copy(path))[:12]
