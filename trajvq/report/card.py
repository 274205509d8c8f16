"""The card of an exported tokenizer: what it is, what it keeps and how to load it, as Markdown beside its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from trajvq.metrics.figures import Figure
from trajvq.metrics.scoreboard import figures_of, value_of

PIPELINE = "video-to-video"  # of the Hub's pipelines, the one that takes clips and gives clips
THRESHOLD_UNITS = {"radius": "px", "contrast": "of black on white", "shift": "px"}


def tokenizer_card(
    about: Mapping[str, Any], board: Mapping[str, Any] | None, thresholds: Mapping[str, Any], source: str
) -> str:
    """Return the card.

    Args:
        about: ``name``, ``class_path``, ``weights``, ``strides``, ``codebook_size``, ``bits``, ``clip``, ``step``,
            ``dataset``, ``checkpoint``; and perhaps ``data``, ``commit``, ``machine``, ``day`` and ``init_from``.
        board: Content of ``scoreboards/SPLIT.json``; None without one.
        thresholds: Thresholds of the eye chart, each with ``value``, ``low`` and ``high``; empty without one.
        source: What `trajvq.load_tokenizer` takes, such as ``THIS_FOLDER`` or ``hf://OWNER/NAME``.
    """
    frames, height, width = about["clip"]
    t, h, w = about["strides"]
    lines = [
        f"# {about['name']}",
        "",
        "A video tokenizer trained with trajvq: it turns clips into discrete tokens and back.",
        "",
        "| | |",
        "|---|---|",
        f"| network | `{about['class_path']}`, {about['weights']:,} weights |",
        f"| a token covers | {t} frames of {h} x {w} pixels |",
        f"| codebook | {about['codebook_size']:,} codes |",
        f"| clip of {frames} frames, {height} x {width} | {about['bits']:,.0f} bits |",
        f"| trained | {about['step']:,} steps on the dataset with manifest SHA-256 `{about['dataset']}` |",
        *_training(about),
        f"| checkpoint | SHA-256 `{about['checkpoint']}` |",
        "",
        "```python",
        "from trajvq.tokens import load_tokenizer",
        "",
        f'tokenizer = load_tokenizer("{source}")',
        "indices = tokenizer.encode(video)  # float (B, 3, T, H, W) in [0, 1] to int64 (B, t, h, w)",
        "video = tokenizer.decode(indices)",
        "```",
        "",
    ]
    if board:
        lines += [f"## What it keeps: {board['clips']} clips of split `{board['split']}`", "", *_table(board), ""]
    if thresholds:
        lines += ["## Eye chart", "", "![eye chart](eye_chart.png)", "", "| threshold | | 95 % |", "|---|---|---|"]
        for name, interval in thresholds.items():
            ends = f"{interval['low']:.3g} to {interval['high']:.3g}"
            lines.append(f"| {name} | {interval['value']:.3g} {THRESHOLD_UNITS[name]} | {ends} |")
        lines.append("")
    return "\n".join(lines)


def hub_metadata(name: str, board: Mapping[str, Any] | None, license_name: str) -> str:
    """Return the YAML that heads a card on the Hugging Face Hub, which lists models by it.

    Args:
        name: Of the model.
        board: Content of ``scoreboards/SPLIT.json``, whose figures of the model become its results; None without one.
        license_name: Identifier of the license of the weights, such as ``mit``.
    """
    metadata: dict[str, Any] = {
        "license": license_name,
        "library_name": "trajvq",
        "pipeline_tag": PIPELINE,
        "tags": ["video", "video-tokenizer", "vector-quantization"],
    }
    if board:
        row, dataset = board["rows"]["model"], Path(board.get("dataset", {}).get("path", "dataset")).name
        metrics = [
            {"type": figure.name, "name": _heading(figure), "value": float(f"{value_of(row[figure.name]):.6g}")}
            for figure in _columns(board)
        ]
        result = {
            "task": {"type": PIPELINE, "name": "Reconstruction"},
            "dataset": {"type": dataset, "name": dataset, "split": board["split"]},
            "metrics": metrics,
        }
        metadata["model-index"] = [{"name": name, "results": [result]}]
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n\n"


def _training(about: Mapping[str, Any]) -> list[str]:
    """Return lines of the table that say where the training ran and what it started from."""
    source = about.get("init_from")
    lines = [] if not source else [f"| started from | `{source['path']}`, SHA-256 `{source['sha256']}` |"]
    facts = [("data", "`{}`"), ("commit", "`{}`"), ("machine", "{}"), ("day", "{}")]
    return lines + [f"| {name} | {text.format(about[name])} |" for name, text in facts if about.get(name)]


def _table(board: Mapping[str, Any]) -> list[str]:
    rows, figures = board["rows"], _columns(board)
    lines = ["| row | " + " | ".join(map(_heading, figures)) + " |", "|---" * (len(figures) + 1) + "|"]
    for label, row in rows.items():
        cells = [figure.text(value_of(row[figure.name])) if figure.name in row else "" for figure in figures]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _columns(board: Mapping[str, Any]) -> list[Figure]:
    return [f for name, f in figures_of(board).items() if f.display == "column" and name in board["rows"]["model"]]


def _heading(figure: Figure) -> str:
    return f"{figure.heading}, {figure.unit}" if figure.unit else figure.heading
