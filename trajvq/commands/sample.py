"""``trajvq sample``: sample clips by class and write them as a dataset, a sheet and an animation."""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trajvq.commands.parser import Parser
from trajvq.data.storage.manifest import Manifest
from trajvq.data.storage.splits import new_dataset, write_split
from trajvq.errors import UserError
from trajvq.io.arrays import Bytes
from trajvq.io.cache import local_copy
from trajvq.io.files import file_sha256
from trajvq.io.video import to_uint8
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import ANY
from trajvq.report.pictures import save_png
from trajvq.report.samples import render_samples, save_animation
from trajvq.runs.folder import LATEST, best
from trajvq.tokens.sampling import BATCH, Loaded, load_generator, sample_clips
from trajvq.tokens.task_weights import default_checkpoint
from trajvq.tokens.weights import DEFAULT

PICTURED = 64  # clips of each class on the sheet; the animation has half as many of all classes together
SPLITS = ("train", "val", "test")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="trajvq sample", description="Sample clips by class and write them as a dataset.")
    parser.add_argument("--out", type=Path, required=True, help="dataset folder to write")
    parser.add_argument(
        "--label", default="all", help="name or number of a class, `all`, or `any` for clips without a class"
    )
    parser.add_argument("--num", type=int, default=16, metavar="N", help="clips of each class in split train")
    for split in SPLITS[1:]:
        parser.add_argument(
            f"--{split}", type=int, default=0, metavar="N", help=f"clips of each class in split {split}"
        )
    parser.add_argument(
        "--ckpt_path",
        default=str(best(Path("runs/sample") / LATEST)),
        help="checkpoint of the generator, or `default` for the one of the package (default: %(default)s)",
    )
    parser.add_argument("--tokenizer_ckpt", help="checkpoint of the tokenizer, if it has moved since the training")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same clips (default: 0)")
    parser.add_argument("--frames", type=int, help="frames per clip; may be more than in the training")
    parser.add_argument("--temperature", type=float, default=None, help="temperature of codes; 0 takes the likeliest")
    parser.add_argument("--top_p", type=float, default=None, help="sample codes among the likeliest with this share")
    parser.add_argument("--noise_scale", type=float, default=None, help="noise of trajectories; 0 takes the likeliest")
    parser.add_argument("--guidance", type=float, default=None, help="weight of the class")
    parser.add_argument("--batch_size", type=int, default=BATCH, help="clips sampled at once (default: %(default)s)")
    parser.add_argument("--animation", choices=("webp", "gif", "none"), default="webp", help="(default: webp)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq sample`` and return the exit code.

    Raises:
        UserError: If an option or a checkpoint is wrong, or the dataset cannot be written.
    """
    args = _parser().parse_args(arguments)
    counts = {split: count for split, count in zip(SPLITS, (args.num, args.val, args.test), strict=True) if count}
    if min(counts.values(), default=0) < 1 or args.batch_size < 1:
        raise UserError("ask for at least one clip: --num N, --val N, --test N, --batch_size N")
    model = load_generator(args.ckpt_path, args.tokenizer_ckpt)
    if model.context:
        raise UserError(f"{args.ckpt_path} is of a forecaster, which continues clips; use `trajvq predict`")
    packaged = args.ckpt_path == DEFAULT
    sha256 = file_sha256(default_checkpoint("sample") if packaged else local_copy(args.ckpt_path))
    print(f"checkpoint: {args.ckpt_path} (sha256 {sha256[:12]})  tokenizer: {model.tokenizer}", flush=True)
    labels = labels_of(args.label, model.classes)
    frames, sampling = _latent_frames(args.frames, model), sampling_of(model, vars(args))
    t, h, w = model.network.layout.grid
    strides: Any = model.tokenizer.network.strides
    classes = model.classes if labels != [ANY] else []
    size = (frames or t) * strides[0], h * strides[1], w * strides[2]
    manifest = Manifest(f"samples of {args.ckpt_path}", args.seed, *size, classes=classes)
    pictured: dict[str, list[Bytes]] = {}
    start, first = time.monotonic(), 0

    def clips(count: int) -> Iterator[dict[str, Any]]:
        for batch in sample_clips(model.network, labels, count, args.seed, sampling, frames, args.batch_size, first):
            video = to_uint8(model.tokenizer.decode(batch.tokens))
            for label, clip in zip(batch.label.tolist(), video, strict=True):
                of_class = pictured.setdefault(classes[label] if classes else "any class", [])
                if len(of_class) < PICTURED:
                    of_class.append(clip)
                yield {"video": clip} | ({"label": np.int64(label)} if classes else {})

    with new_dataset(args.out) as folder:
        for split, count in counts.items():
            write_split(folder, manifest, split, clips(count))
            first += count
        manifest.write(folder)
    total = sum(counts.values()) * len(labels)
    seconds = time.monotonic() - start
    print(f"{args.out}: {total:,} clips in {seconds:.1f} s, {total / seconds:.1f}/s; sha256 {manifest.sha256[:12]}")
    _save_pictures({name: np.stack(of_class) for name, of_class in pictured.items()}, args.out, args.animation)
    return 0


def _save_pictures(clips: dict[str, Bytes], out: Path, animation: str) -> None:
    """Write a sheet of clips by class and, unless ``animation`` is ``none``, an animation of some of them."""
    save_png(render_samples(clips), out / "samples.png")
    if animation != "none":
        each = max(PICTURED // 2 // len(clips), 1)
        save_animation(np.concatenate([of_class[:each] for of_class in clips.values()]), out / f"samples.{animation}")
    print(f"pictures: {out / 'samples.png'}" + f", .{animation}" * (animation != "none"))


def labels_of(name: str, classes: list[str]) -> list[int]:
    """Return the labels that a name or number of a class, ``all`` or ``any`` stands for.

    Raises:
        UserError: If there is no such class.
    """
    if name == "any" or (name == "all" and not classes):
        return [ANY]
    if name == "all":
        return list(range(len(classes)))
    if name in classes:
        return [classes.index(name)]
    if name.isdigit() and int(name) < len(classes):
        return [int(name)]
    raise UserError(f"--label {name}: there is no such class; known: {', '.join(classes) or 'none'}, all, any")


def sampling_of(model: Loaded, options: dict[str, Any]) -> Sampling:
    """Return the sampling settings of a checkpoint, overridden by the options that are not None.

    Raises:
        UserError: If a value is out of range.
    """
    names = ("temperature", "top_p", "noise_scale", "guidance")
    try:
        return Sampling(**model.sampling | {name: options[name] for name in names if options[name] is not None})
    except ValueError as error:
        raise UserError(str(error)) from None


def _latent_frames(frames: int | None, model: Loaded) -> int | None:
    """Return the latent frames of a number of frames. None means as many as in the training.

    Raises:
        UserError: If the frames do not divide into tokens.
    """
    if frames is None:
        return None
    each = model.network.layout.frames
    if frames < each or frames % each:
        raise UserError(f"--frames {frames}: a token covers {each} frames; give a multiple of {each}")
    trained = model.network.layout.grid[0]
    if frames > trained * each:
        print(f"{frames} frames are more than the {trained * each} of training; each {each} continue the last ones")
    return frames // each
