"""Print forecast scoreboards as Markdown: rows, classes, samples, the error budget, and OOD over ID.

With --mean: one column per scoreboard, such as several seeds, with mean and standard deviation.
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from trajvq.metrics.scoreboard import value_of

NOTES = ("ade_samples", "min_ade", "energy", "within", "visible", "object_psnr", "ood_over", "clips_per")
NESTED = ("horizon", "per_class", "budget")


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
    print("\nby frame: " + " ".join("–" if error is None else f"{error:.2f}" for error in model["horizon"]))
    for name, figure in model.items():
        if name.startswith(NOTES):
            print(f"{name}: {_text(figure)}")
    if "budget" in model:
        print("budget, px²: " + ", ".join(f"{name} {share:.3f}" for name, share in model["budget"].items()))


def compare(boards: list[dict[str, Any]]) -> None:
    """Print the figures of the models, one column per scoreboard, with mean and standard deviation."""
    models = [board["rows"]["model"] for board in boards]
    shared = [name for name in models[0] if name not in NESTED and all(name in m for m in models)]
    values_by_figure = {name: [value_of(m[name]) for m in models] for name in shared}
    for kind in models[0].get("per_class", {}):
        values_by_figure[f"ade, {kind}"] = [value_of(m["per_class"][kind]["ade"]) for m in models]
    for part in models[0].get("budget", {}):
        values_by_figure[f"budget, {part}, px²"] = [m["budget"][part] for m in models]
    _head(["figure", *(Path(board["checkpoint"]).parts[-3] for board in boards), "mean", "SD"])
    for name, values in values_by_figure.items():
        _line([name, *(f"{value:.3f}" for value in (*values, mean(values), stdev(values)))])


def main() -> None:
    """Print the scoreboards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("boards", type=Path, nargs="+", help="runs/forecast/RUN/scoreboards/SPLIT.json")
    parser.add_argument("--mean", action="store_true", help="compare two or more")
    args = parser.parse_args()
    boards = [json.loads(path.read_text()) for path in args.boards]
    if args.mean and len(boards) > 1:
        compare(boards)
    else:
        for board in boards:
            show(board)


if __name__ == "__main__":
    main()
