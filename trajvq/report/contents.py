"""What a dataset holds: a table, a contact sheet, and JSON Lines."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from trajvq.data.storage.shards import Manifest, open_shard, read_column, read_manifest
from trajvq.report.strips import save_png

ACROSS = 8  # frames of a clip on the sheet
EACH = 3  # clips of each class and split
CLASSES = 10
TITLE = 14  # pixels above a split's clips
TEXT = ("label", "identifiable", "equation", "description")


def print_contents(folder: Path, sheet: Path | None, jsonl: Path | None) -> int:
    """Print what is inside, write a contact sheet and, if asked, JSON Lines; returns the exit code 0."""
    manifest = read_manifest(folder)
    table = Table(title=f"{folder} · {manifest.preset} · seed {manifest.seed}", title_justify="left")
    for name in ("split", "clips", "shards", "MB", *(manifest.classes if len(manifest.classes) <= 6 else ())):
        table.add_column(name, justify="left" if name == "split" else "right")
    for split, entries in manifest.splits.items():
        label = read_column(folder, manifest, split, "label")
        counts = np.bincount(label, minlength=len(manifest.classes)).tolist() if label is not None else []
        cells = [f"{n:,}" for n in counts] if len(manifest.classes) <= 6 else []
        size = sum(entry["bytes"] for entry in entries) / 1e6
        table.add_row(split, f"{manifest.clips(split):,}", str(len(entries)), f"{size:,.1f}", *cells)
    console = Console()
    console.print(table)
    console.print(
        f"clips of {manifest.frames} frames, {manifest.width}x{manifest.height}; sha256 {manifest.sha256[:12]}"
    )
    if len(manifest.classes) > 6:
        console.print(f"{len(manifest.classes)} classes: {', '.join(manifest.classes)}")
    path = sheet or folder / "contact_sheet.png"
    save_png(contact_sheet(folder, manifest), path)
    console.print(f"contact sheet: {path}")
    if jsonl:
        console.print(f"{write_jsonl(folder, manifest, jsonl):,} lines: {jsonl}")
    return 0


def contact_sheet(folder: Path, manifest: Manifest) -> NDArray[np.uint8]:
    """Draw some clips of every class and split, a clip a line; returns uint8 ``(height, width, 3)``."""
    frames = np.linspace(0, manifest.frames - 1, min(ACROSS, manifest.frames)).astype(int)
    shown = EACH * min(max(len(manifest.classes), 1), CLASSES) * len(manifest.splits)
    side, scale = manifest.width + 1, 1 if manifest.width > 64 or shown > 32 else 2
    blocks = []
    for split, entries in manifest.splits.items():
        with open_shard(folder, entries[0]) as file:
            label = file["label"][:] if "label" in file else np.zeros(entries[0]["clips"], dtype=int)
            rows = [row for k in np.unique(label)[:CLASSES] for row in np.flatnonzero(label == k)[:EACH]]
            for row in rows:
                cells = np.full((len(frames), manifest.height + 1, side, 3), 200, dtype=np.uint8)
                cells[:, :-1, :-1] = file["video"][row][frames].transpose(0, 2, 3, 1)
                line = np.concatenate(list(cells), axis=1).repeat(scale, axis=0).repeat(scale, axis=1)
                name = manifest.classes[label[row]] if manifest.classes else ""
                blocks.append(_titled(line, f"{split} {row} {name}"))
    width = max(block.shape[1] for block in blocks)
    columns = [blocks[start :: _columns(len(blocks))] for start in range(_columns(len(blocks)))]
    tallest = max(sum(block.shape[0] for block in column) for column in columns)
    sheet = np.full((tallest, len(columns) * (width + 8), 3), 255, dtype=np.uint8)
    for place, column in enumerate(columns):
        top = 0
        for block in column:
            sheet[top : top + block.shape[0], place * (width + 8) :][:, : block.shape[1]] = block
            top += block.shape[0]
    return sheet


def _columns(count: int) -> int:
    return min(max(count // 16, 1), 4)


def _titled(line: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    title = Image.new("RGB", (line.shape[1], TITLE), (255, 255, 255))
    ImageDraw.Draw(title).text((2, 1), text, fill=(0, 0, 0))
    return np.concatenate([np.asarray(title), line], axis=0)


def write_jsonl(folder: Path, manifest: Manifest, path: Path) -> int:
    """Write split, index, label, equation and description of every clip, a JSON object a line; returns their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = 0
    with path.open("w") as out:
        for split in manifest.splits:
            columns = {name: read_column(folder, manifest, split, name) for name in TEXT}
            for index in range(manifest.clips(split)):
                row: dict[str, object] = {"split": split, "index": index}
                for name, column in columns.items():
                    if column is not None:
                        value = column[index]
                        row[name] = value.decode() if isinstance(value, bytes) else value.item()
                if manifest.classes and "label" in row:
                    row["class"] = manifest.classes[int(str(row["label"]))]
                out.write(json.dumps(row) + "\n")
                lines += 1
    return lines
