"""A tokenizer's card: what it is, what it keeps and how to load it, as Markdown beside its weights."""

from collections.abc import Mapping
from typing import Any

from trajvq.metrics.scoreboard import value_of
from trajvq.report.table import COLUMNS


def tokenizer_card(about: Mapping[str, Any], board: Mapping[str, Any] | None, thresholds: Mapping[str, Any]) -> str:
    """Return the card.

    Args:
        about: ``name``, ``class_path``, ``weights``, ``strides``, ``codebook_size``, ``bits``, ``clip``, ``step``,
            ``dataset``, ``checkpoint``.
        board: A scoreboard as in ``scoreboards/SPLIT.json``, if there is one.
        thresholds: Of the eye chart, each with ``value``, ``low`` and ``high``; empty without one.
    """
    frames, height, width = about["clip"]
    t, q, r = about["strides"]
    lines = [
        f"# {about['name']}",
        "",
        "A video tokenizer trained with trajvq: clips to discrete tokens and back.",
        "",
        "| | |",
        "|---|---|",
        f"| network | `{about['class_path']}`, {about['weights']:,} weights |",
        f"| a token covers | {t} frames of {q} x {r} pixels |",
        f"| codebook | {about['codebook_size']:,} codes |",
        f"| clip of {frames} frames, {height} x {width} | {about['bits']:,.0f} bits |",
        f"| trained | {about['step']:,} steps on the dataset with manifest SHA-256 `{about['dataset']}` |",
        f"| checkpoint | SHA-256 `{about['checkpoint']}` |",
        "",
        "```python",
        "from trajvq.tokens import load_tokenizer",
        "",
        'tokenizer = load_tokenizer("THIS_FOLDER")',
        "indices = tokenizer.encode(video)   # float (B, 3, T, H, W) in [0, 1] to int64 (B, t, h, w)",
        "video = tokenizer.decode(indices)",
        "```",
        "",
    ]
    if board:
        lines += [f"## What it keeps: {board['clips']} clips of split `{board['split']}`", "", *_table(board), ""]
    if thresholds:
        lines += ["## Eye chart", "", "![eye chart](eye_chart.png)", "", "| threshold | | 95 % |", "|---|---|---|"]
        units = {"radius": "px", "contrast": "of black on white", "shift": "px"}
        for name, found in thresholds.items():
            span = f"{found['low']:.3g} to {found['high']:.3g}"
            lines.append(f"| {name} | {found['value']:.3g} {units[name]} | {span} |")
        lines.append("")
    return "\n".join(lines)


def _table(board: Mapping[str, Any]) -> list[str]:
    rows = board["rows"]
    names = [name for name in COLUMNS if name in rows["model"]]
    lines = ["| row | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for label, row in rows.items():
        cells = [f"{value_of(row[name]):{COLUMNS[name][0]}}" if name in row else "" for name in names]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines
