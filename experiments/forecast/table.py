"""Print scoreboards of forecasts as Markdown: rows, classes, samples, the error budget, and OOD over ID."""

import argparse
import json
from pathlib import Path
from typing import Any

SHOWN = ("ade_samples", "min_ade", "energy", "within", "visible", "object_psnr", "ood_over", "clips_per")


def _text(figure: Any, digits: int = 3) -> str:
    if isinstance(figure, dict):
        return f"{figure['value']:.{digits}f} ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"
    return f"{figure:.{digits}f}"


def _line(cells: list[str]) -> None:
    print("| " + " | ".join(cells) + " |")


def _head(cells: list[str]) -> None:
    _line(cells)
    print("|" + "---|" * len(cells))


def show(board: dict[str, Any]) -> None:
    """Print one scoreboard."""
    rows, model = board["rows"], board["rows"]["model"]
    classes = list(model.get("per_class", {}))
    print(f"\n## {board['split']}, {board['clips']} clips, {board['checkpoint']}\n")
    _head(["row", "ade", "fde", "miss_2px", *classes])
    for name, row in rows.items():
        mine = [_text(row["per_class"][c]["ade"]) if c in row.get("per_class", {}) else "" for c in classes]
        _line([name, _text(row["ade"]), _text(row["fde"]), _text(row["miss_2px"]), *mine])
    print("\nby frame: " + " ".join(f"{error:.2f}" for error in model["horizon"]))
    for name, figure in model.items():
        if name.startswith(SHOWN):
            print(f"{name}: {_text(figure)}")
    if "budget" in model:
        print("budget, px²: " + ", ".join(f"{name} {share:.3f}" for name, share in model["budget"].items()))


def main() -> None:
    """Print the scoreboards given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("boards", type=Path, nargs="+", help="runs/forecast/RUN/scoreboards/SPLIT.json")
    for path in parser.parse_args().boards:
        show(json.loads(path.read_text()))


if __name__ == "__main__":
    main()
