"""``trajvq tokenize``: write a dataset as tokens with labels, equations and descriptions, for any sequence model."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from trajvq.commands.parser import Parser
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import by_object, read_column
from trajvq.errors import DataError, UserError
from trajvq.io.files import whole_file, writing
from trajvq.io.hdf5 import HDF5Output
from trajvq.models.transformer import TokenLayout
from trajvq.runs.folder import LATEST, best
from trajvq.tokens.cache import ROOT, TokenCache
from trajvq.tokens.frozen import FrozenTokenizer

TEXT = ("equation", "description")
Columns = dict[str, NDArray[Any]]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="trajvq tokenize", description="Write a dataset as tokens.")
    parser.add_argument("path", type=Path, help="dataset folder")
    parser.add_argument("--out", type=Path, required=True, help="FILE.h5, or FILE.jsonl with one clip per line")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--ckpt_path",
        default=str(best(Path("runs/recon") / LATEST)),
        help="checkpoint of the tokenizer (default: %(default)s)",
    )
    source.add_argument(
        "--tokenizer",
        dest="ckpt_path",
        default=argparse.SUPPRESS,
        help="the same, or an exported folder, hf://OWNER/NAME, or `default`, the tokenizer that comes with trajvq",
    )
    parser.add_argument("--splits", nargs="+", metavar="SPLIT", help="splits to write (default: all)")
    parser.add_argument("--token_folder", type=Path, default=ROOT, help="folder of token caches (default: %(default)s)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq tokenize`` and return the exit code.

    Raises:
        UserError: If the dataset or the tokenizer cannot be read, or the file cannot be written.
    """
    args = _parser().parse_args(arguments)
    if args.out.suffix not in (".h5", ".jsonl"):
        raise UserError(f"--out {args.out} ends in neither .h5 nor .jsonl")
    manifest = read_manifest(args.path)
    splits = args.splits or list(manifest.splits)
    unknown = [split for split in splits if split not in manifest.splits]
    if unknown:
        raise DataError(f"{args.path} has no split {unknown[0]!r}; it has: {', '.join(manifest.splits)}")
    tokenizer = FrozenTokenizer(args.ckpt_path)
    print(f"tokenizer: {tokenizer}", flush=True)
    layout, cache = tokenizer.layout(manifest, padded=True), TokenCache(tokenizer, args.token_folder)
    for line in tokenizer.remarks(manifest):
        print(line, flush=True)
    columns_by_split: dict[str, Columns] = {}
    for split in splits:
        columns: Columns = {"tokens": cache.tokens(Clips(args.path, split))[:, 0].numpy()}
        for name in ("label", *TEXT):
            column = read_column(args.path, manifest, split, name)
            if column is not None:
                columns[name] = column
        columns_by_split[split] = columns
    attributes = {
        "tokenizer": tokenizer.sha256,
        "dataset": manifest.sha256,
        "classes": manifest.classes,
        "frames": manifest.frames,
    }
    with writing(args.out), whole_file(args.out) as partial:
        (_write_h5 if args.out.suffix == ".h5" else _write_jsonl)(partial, columns_by_split, layout, attributes)
    clips = sum(len(columns["tokens"]) for columns in columns_by_split.values())
    print(f"{args.out}: {clips:,} clips of {layout.tokens} tokens, from {layout.codebook_size:,} codes")
    return 0


def _write_h5(path: Path, splits: dict[str, Columns], layout: TokenLayout, attributes: dict[str, Any]) -> None:
    """Write a group per split: ``tokens`` ``(N, t, h, w)``, ``label`` ``(N,)``, and texts ``(N, K)``."""
    with HDF5Output(path) as output:
        file = output.file
        file.attrs.update({"codebook_size": layout.codebook_size, "levels": layout.levels, **attributes})
        for split, columns in splits.items():
            for name, column in columns.items():
                file.create_dataset(f"{split}/{name}", data=column, fletcher32=True, **hdf5plugin.Zstd(clevel=3))


def _write_jsonl(path: Path, splits: dict[str, Columns], layout: TokenLayout, attributes: dict[str, Any]) -> None:
    """Write one clip per line, its tokens frame by frame and row by row."""
    classes = attributes["classes"]
    with path.open("w", encoding="utf-8") as out:
        for split, columns in splits.items():
            for index, tokens in enumerate(columns["tokens"]):
                line: dict[str, Any] = {"split": split, "index": index}
                if "label" in columns:
                    line["label"] = int(columns["label"][index])
                    line["class"] = classes[line["label"]]
                line |= {name: by_object(columns[name][index]) for name in TEXT if name in columns}
                line |= {"frames": attributes["frames"], "grid": layout.grid}
                line |= {"tokens": np.asarray(tokens).flatten().tolist()}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
