"""``trajvq export``: write a tokenizer as a folder to share, with a card that says what it keeps."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from trajvq.commands.parser import Parser
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import read_column
from trajvq.data.synthetic.chart import make_chart
from trajvq.errors import UserError
from trajvq.io.cache import local_copy
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.files import file_sha256, write_text
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.reconstruction.codes import bits
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.scoreboard import is_number, value_of
from trajvq.metrics.submissions.chart import EyeChart, EyeChartFigures
from trajvq.report.card import hub_metadata, tokenizer_card
from trajvq.report.eye_chart import plot_eye_chart
from trajvq.runs.provenance import PROVENANCE
from trajvq.tokens.export import write_folder
from trajvq.tokens.loading import network_of
from trajvq.tokens.protocol import is_normalized, spec_of
from trajvq.tokens.weights import read_tokenizer

DEFAULT = Path("runs/recon/latest/checkpoints/best.ckpt")
CLIP = (16, 64, 64)  # frames, height and width of the clips that the card counts bits for
BATCH = 48


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq export`` and return the exit code.

    Raises:
        UserError: If the checkpoint cannot be read or the folder cannot be written.
    """
    parser = Parser(prog="trajvq export", description="Write a tokenizer as safetensors, config and card.")
    parser.add_argument("--ckpt_path", default=str(DEFAULT), help=f"checkpoint, or its URL (default: {DEFAULT})")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", type=Path, help="folder to write")
    target.add_argument(
        "--hub", type=Path, metavar="DIR", help="the same as a model repository of the Hugging Face Hub, to upload"
    )
    parser.add_argument("--name", help="name on the card, with --hub perhaps OWNER/NAME (default: the run's)")
    parser.add_argument("--license", help="with --hub: license of the weights, such as mit (default: unknown)")
    parser.add_argument("--no-chart", action="store_true", help="leave out the eye chart, which takes some seconds")
    args = parser.parse_args(arguments)
    if args.license and not args.hub:
        raise UserError("--license is written on cards for the Hugging Face Hub only; write one with --hub")
    out = args.hub or args.out
    content, weights = read_checkpoint(args.ckpt_path), read_tokenizer(args.ckpt_path)
    network, path = network_of(weights), local_copy(args.ckpt_path)
    run = path.parent.parent
    about = _about(network, content, path) | _provenance(run) | ({"name": args.name} if args.name else {})
    scoreboard = run / "scoreboards" / "test.json"
    board = json.loads(scoreboard.read_text(encoding="utf-8")) if scoreboard.exists() else None
    about_test = {} if board is None else {"test": _figures(board)}
    write_folder(network, spec_of(network), {"skill": weights.skill, "about": about, **about_test}, out)
    thresholds: dict[str, Any] = {}
    obstacle = _obstacle(network)
    if obstacle and not args.no_chart:
        print(f"the card has no eye chart: {obstacle}")
    elif not args.no_chart:
        thresholds = dict(read_chart(network, out / "eye_chart.png", about["name"]).thresholds)
    if board is None:
        print(f"the card has no scoreboard, because there is no {scoreboard}; run `trajvq test` first")
    name = about["name"]
    repository = name if "/" in name else f"OWNER/{name}"
    head = hub_metadata(name, board, args.license or "unknown") if args.hub else ""
    card = tokenizer_card(about, board, thresholds, f"hf://{repository}" if args.hub else "THIS_FOLDER")
    write_text(out / "README.md", head + card)
    bits_per_clip = f"{about['bits']:,.0f} bits per clip"
    print(f"{out}: {about['weights']:,} weights, {bits_per_clip}; card: {out / 'README.md'}")
    if args.hub:
        unknown = "" if args.license else "; the card says no license, set one with --license"
        print(f"upload: hf upload {repository} {out}{unknown}")
    return 0


def _about(network: nn.Module, content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return what the card says about a tokenizer, besides its figures."""
    strides, size = tuple(network.strides), int(network.codebook_size)  # type: ignore[arg-type]
    tokens = int(np.prod([side // stride for side, stride in zip(CLIP, strides, strict=True)]))
    return {
        "name": path.resolve().parent.parent.name,
        "class_path": spec_of(network)["class_path"],
        "weights": sum(p.numel() for p in network.parameters()),
        "strides": list(strides),
        "codebook_size": size,
        "clip": list(CLIP),
        "bits": bits(tokens, size),
        "step": int(content["global_step"]),
        "dataset": content.get("trajvq", {}).get("dataset"),
        "checkpoint": file_sha256(path),
    }


def _provenance(run: Path) -> dict[str, Any]:
    """Return the dataset's path and the commit, machine and day of the training; empty if the run did not record it."""
    path = run / PROVENANCE
    commands = json.loads(path.read_text(encoding="utf-8"))["commands"] if path.exists() else []
    fits = [command for command in commands if command["command"].startswith("trajvq fit")]
    if not fits:
        return {}
    last, versions = fits[-1], fits[-1]["versions"]
    facts = {
        "data": last.get("dataset", {}).get("path"),
        "init_from": last.get("init_from"),
        "day": last["started"][:10],
    }
    return facts | {name: versions.get(name) for name in ("commit", "machine", "trajvq")}


def _figures(board: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the model in a scoreboard, without their intervals."""
    row = board["rows"]["model"]
    figures = {name: value_of(figure) for name, figure in row.items() if is_number(figure)}
    return {"split": board["split"], "clips": board["clips"], "figures": figures}


def _obstacle(network: nn.Module) -> str | None:
    """Return why a tokenizer cannot reconstruct the eye chart; None if it can."""
    strides: tuple[int, ...] = tuple(network.strides)  # type: ignore[arg-type]
    if any(size % stride for size, stride in zip(CLIP, strides, strict=True)):
        return f"its clips, {CLIP[0]} frames of {CLIP[1]}x{CLIP[2]}, do not divide into tokens of {list(strides)}"
    height, width = network.normalization.background.shape[-2:] if is_normalized(network) else (1, 1)
    if (height, width) not in ((1, 1), CLIP[1:]):
        return f"its clips are {CLIP[1]}x{CLIP[2]}, the fixed camera's picture that is subtracted {height}x{width}"
    return None


def read_chart(network: nn.Module, picture: Path, name: str) -> EyeChart:
    """Reconstruct the eye chart with a tokenizer, plot it as a picture, and return its thresholds."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "chart"
        make_chart(folder, *CLIP[:2])
        clips = Clips(folder, "test")
        figures, reconstructions = EyeChartFigures(), []
        for batch in clips.loader(BATCH):
            batch["video"] = to_float(batch["video"])
            with torch.inference_mode():
                reconstruction = to_uint8(network.decode(network.encode(batch["video"])))  # type: ignore[operator]
            figures.update(truth_of(batch), reconstruction)
            reconstructions.append(reconstruction)
        params = read_column(folder, clips.manifest, "test", "params")
        assert params is not None
        chart = figures.compute(params[:, 0])
        plot_eye_chart(chart, clips, np.concatenate(reconstructions), picture, name)
    return chart
