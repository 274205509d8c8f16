"""Contents of a dataset: a table, a contact sheet, and JSON Lines."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from trajvq.data.storage.manifest import Manifest, read_manifest
from trajvq.data.storage.shards import by_object, open_shard, read_column
from trajvq.errors import UserError
from trajvq.io.files import writing
from trajvq.report.pictures import add_title, save_png

FRAMES = 8  # of a clip on the sheet
CLIPS = 3  # of each class and split on the sheet
CLASSES = 10  # of each split on the sheet
TABLE_CLASSES = 6  # most classes that get a column in the table
JSONL_COLUMNS = ("label", "identifiable", "equation", "description")


def print_contents(folder: Path, sheet: Path | None, jsonl: Path | None) -> int:
    """Print a table of the splits, write a contact sheet and perhaps JSON Lines, and return the exit code 0.

    Args:
        folder: The dataset.
        sheet: Contact sheet to write; None for ``contact_sheet.png`` in the dataset.
        jsonl: File of JSON Lines to write; None for none.

    Raises:
        UserError: If a file that was asked for cannot be written. The contact sheet of a read-only dataset is left out.
    """
    manifest = read_manifest(folder)
    table = Table(title=f"{folder} · {manifest.preset} · seed {manifest.seed}", title_justify="left")
    classes = manifest.classes if len(manifest.classes) <= TABLE_CLASSES else []
    for name in ("split", "clips", "shards", "MB", *classes):
        table.add_column(name, justify="left" if name == "split" else "right")
    for split, entries in manifest.splits.items():
        label = read_column(folder, manifest, split, "label")
        counts = np.bincount(label, minlength=len(manifest.classes)).tolist() if label is not None else []
        cells = [f"{n:,}" for n in counts] if classes else []
        size = sum(entry["bytes"] for entry in entries) / 1e6
        table.add_row(split, f"{manifest.clips(split):,}", str(len(entries)), f"{size:,.1f}", *cells)
    console = Console()
    console.print(table)
    console.print(
        f"clips of {manifest.frames} frames, {manifest.width}x{manifest.height}; sha256 {manifest.sha256[:12]}"
    )
    if len(manifest.classes) > TABLE_CLASSES:
        console.print(f"{len(manifest.classes)} classes: {', '.join(manifest.classes)}")
    path, pixels = sheet or folder / "contact_sheet.png", contact_sheet(folder, manifest)
    try:
        with writing(path, "name another file with --sheet"):
            save_png(pixels, path)
        console.print(f"contact sheet: {path}")
    except UserError as error:
        if sheet:
            raise
        console.print(f"no contact sheet: {error}", soft_wrap=True)  # the dataset may be read-only
    if jsonl:
        with writing(jsonl, "choose another --jsonl"):
            console.print(f"{write_jsonl(folder, manifest, jsonl):,} lines: {jsonl}")
    return 0


def contact_sheet(folder: Path, manifest: Manifest) -> NDArray[np.uint8]:
    """Render some clips of every class and split, one per line, as uint8 ``(height, width, 3)``."""
    frames = np.linspace(0, manifest.frames - 1, min(FRAMES, manifest.frames)).astype(int)
    lines = CLIPS * min(max(len(manifest.classes), 1), CLASSES) * len(manifest.splits)
    scale = 1 if manifest.width > 64 or lines > 32 else 2
    blocks = []
    for split, entries in manifest.splits.items():
        with open_shard(folder, entries[0]) as file:
            label = file["label"][:] if "label" in file else np.zeros(entries[0]["clips"], dtype=int)
            rows = [row for k in np.unique(label)[:CLASSES] for row in np.flatnonzero(label == k)[:CLIPS]]
            for row in rows:
                cells = np.full((len(frames), manifest.height + 1, manifest.width + 1, 3), 200, dtype=np.uint8)
                cells[:, :-1, :-1] = file["video"][row][frames].transpose(0, 2, 3, 1)
                line = np.concatenate(list(cells), axis=1).repeat(scale, axis=0).repeat(scale, axis=1)
                name = manifest.classes[label[row]] if manifest.classes else ""
                blocks.append(add_title(line, f"{split} {row} {name}"))
    width = max(block.shape[1] for block in blocks)
    count = min(max(len(blocks) // 16, 1), 4)
    columns = [blocks[start::count] for start in range(count)]
    tallest = max(sum(block.shape[0] for block in column) for column in columns)
    sheet = np.full((tallest, len(columns) * (width + 8), 3), 255, dtype=np.uint8)
    for position, column in enumerate(columns):
        top = 0
        for block in column:
            sheet[top : top + block.shape[0], position * (width + 8) :][:, : block.shape[1]] = block
            top += block.shape[0]
    return sheet


def write_jsonl(folder: Path, manifest: Manifest, path: Path) -> int:
    """Write split, index, label, equation and description of every clip as JSON Lines; return the number of lines."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for split in manifest.splits:
            columns = {name: read_column(folder, manifest, split, name) for name in JSONL_COLUMNS}
            for index in range(manifest.clips(split)):
                row: dict[str, object] = {"split": split, "index": index}
                for name, column in columns.items():
                    if column is not None:
                        row[name] = by_object(column[index]) if column.ndim > 1 else column[index].item()
                if manifest.classes and "label" in row:
                    row["class"] = manifest.classes[int(str(row["label"]))]
                file.write(json.dumps(row) + "\n")
                count += 1
    return count
