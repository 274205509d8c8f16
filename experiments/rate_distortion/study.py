"""Compare quantizers and rates: train one tokenizer for each and store its figures in a committed JSON file.

python experiments/rate_distortion/study.py             # train the missing cells, then table and plot
python experiments/rate_distortion/study.py --only table
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.data.storage.clips import Clips
from trajvq.io.arrays import Floats

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiment import trajvq

HERE = Path(__file__).parent
CELLS = HERE / "cells"
KEPT = ("bits", "skill", "visible", "centroid_error", "centroid_p95", "object_psnr", "color_error", "radius_error")
KEPT += ("codes_used", "object_perplexity", "probe_accuracy", "probe_accuracy_true")
STEPS = {"160": 1500, "640": 1800, "2551": 2600, "10000": 1500}  # about 4 minutes on one core of 2026
QUANTIZERS = {
    "FSQ": [],
    "VQ": ["--model.tokenizer.quantizer", "trajvq.models.VQ"],
    "SimVQ": ["--model.tokenizer.quantizer", "trajvq.models.SimVQ"],
    "LFQ": ["--model.tokenizer.quantizer", "trajvq.models.LFQ"],
}
SEEDS = {("FSQ", "2551"): (0, 1, 2)}
LEAST_VARIANCE = 1e-9  # px²; directions of path space with less need no bits


def cells(rates: list[str], quantizers: list[str]) -> list[tuple[str, str, int]]:
    """Return (quantizer, rate, seed) of every cell."""
    grid = [(q, r) for q in quantizers for r in rates]
    return [(q, r, seed) for q, r in grid for seed in SEEDS.get((q, r), (0,))]


def fit(quantizer: str, rate: str, seed: int, data: Path) -> dict[str, Any]:
    """Train and test one cell; return its figures on the test split."""
    name, steps = f"{quantizer}-{rate}-{seed}", STEPS[rate]
    options = ["--config=recon", *([] if rate == "2551" else [f"--config=rates/{rate}"]), *QUANTIZERS[quantizer]]
    options += [f"--data.path={data}", f"--run={name}"]
    training = [f"--seed_everything={seed}", f"--data.seed={seed}", f"--trainer.max_steps={steps}"]
    training += [f"--trainer.val_check_interval={steps // 2}"]
    start = time.monotonic()
    trajvq("fit", *options, *training)
    seconds = time.monotonic() - start
    trajvq("test", *options)
    row = json.loads(Path(f"runs/recon/{name}/scoreboards/test.json").read_text())["rows"]["model"]
    figures = {key: row[key]["value"] if isinstance(row[key], dict) else row[key] for key in KEPT if key in row}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout
    about = {"quantizer": quantizer, "rate": rate, "seed": seed, "steps": steps, "seconds": round(seconds)}
    about |= {"commit": commit.strip()}
    return {**about, "command": " ".join(["trajvq", "fit", *options, *training]), "test": figures}


def read() -> list[dict[str, Any]]:
    """Return all stored cells, sorted by bits, quantizer and seed."""
    stored = [json.loads(path.read_text()) for path in sorted(CELLS.glob("*.json"))]
    return sorted(stored, key=lambda cell: (cell["test"]["bits"], cell["quantizer"], cell["seed"]))


def table(results: list[dict[str, Any]]) -> None:
    """Print the cells as Markdown."""
    columns = ("skill", "visible", "centroid_error", "centroid_p95", "object_psnr", "color_error", "codes_used")
    print("| bits | quantizer | seed | seconds | " + " | ".join(columns) + " | probe, of true |")
    print("|---" * (len(columns) + 5) + "|")
    for cell in results:
        row = cell["test"]
        digits = {"visible": 4, "object_psnr": 1, "color_error": 1, "codes_used": 0}
        figures = " | ".join(f"{row[name]:.{digits.get(name, 3)}f}" for name in columns)
        readable = "probe_accuracy" in row  # left out where true positions say nothing of the class
        probe = f"{row['probe_accuracy'] / row['probe_accuracy_true']:.2f}" if readable else "–"
        print(
            f"| {row['bits']:,.0f} | {cell['quantizer']} | {cell['seed']} | {cell['seconds']} | {figures} | {probe} |"
        )


def bound(data: Path, errors: list[float]) -> list[float]:
    """Return upper bounds on the bits that a clip of ``train`` needs, for paths exact to each of the errors in px.

    Color is exact to 1 level and the radius to a tenth of the error.
    """
    columns = Clips(data, "train").columns
    path, label = columns["pixel"][:, :, 0].double().numpy(), columns["label"].numpy()
    radius = columns["radius"][:, :, 0].double().numpy()
    bits = []
    for error in errors:
        appearance = np.concatenate([columns["color"][:, 0].double().numpy(), radius * 10 / error], axis=1)
        bits.append(gaussian_bits(path, label, error, appearance, 1.0))
    return bits


def gaussian_bits(
    path: Floats,
    label: NDArray[np.int64],
    path_error: float,
    appearance: Floats | None = None,
    appearance_error: float = 1.0,
) -> float:
    """Return an upper bound of the bits per clip that class, path and appearance need at a given precision.

    The paths of a class are taken as Gaussian in all their coordinates. Of all sources with its covariance, a Gaussian
    needs the most bits (reverse water-filling; Cover and Thomas, Elements of Information Theory, 10.3). No tokenizer
    has to spend more.

    Args:
        path: ``(N, T, 2)`` true positions, px; N well above 2 T.
        label: ``(N,)`` classes.
        path_error: Mean distance of a decoded from the true position, px.
        appearance: ``(N, K)`` further numbers of a clip, such as color and radius; None for none.
        appearance_error: Mean absolute error of one of these numbers.

    Raises:
        ValueError: If an error is not positive.
    """
    if min(path_error, appearance_error) <= 0:
        raise ValueError(f"errors of {path_error} and {appearance_error} need infinitely many bits; use positive ones")
    classes, sizes = np.unique(label, return_counts=True)
    shares = sizes / len(label)
    bits = float(-(shares * np.log2(shares)).sum())
    for number, share in zip(classes, shares, strict=True):
        # The mean distance of a two-dimensional Gaussian error is sqrt(pi / 2) of its standard deviation.
        bits += share * _gaussian(path[label == number].reshape((label == number).sum(), -1), 2 / np.pi * path_error**2)
    if appearance is not None:
        bits += _gaussian(appearance, np.pi / 2 * appearance_error**2)
    return bits


def _gaussian(samples: Floats, distortion: float) -> float:
    """Return the bits of a Gaussian with the samples' covariance, at a mean squared error of each coordinate."""
    variance = np.linalg.eigvalsh(np.atleast_2d(np.cov(samples, rowvar=False)))
    variance = np.where(variance > LEAST_VARIANCE, variance, 0.0)
    low, high = 0.0, float(variance.max()) + distortion
    for _ in range(60):  # bisect for the water level whose mean error is the distortion
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(variance, level).mean() < distortion else (low, level)
    coded = variance > level
    return float(0.5 * np.log2(variance[coded] / level).sum())


def plot(results: list[dict[str, Any]], data: Path, path: Path) -> None:
    """Plot bits against centroid error, object PSNR and probe accuracy."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    panels = (("centroid_error", "centroid error, px"), ("object_psnr", "object PSNR, dB"), ("probe_accuracy", "probe"))
    for axis, (name, title) in zip(axes, panels, strict=True):
        for quantizer in QUANTIZERS:
            own = [cell["test"] for cell in results if cell["quantizer"] == quantizer]
            axis.plot(
                [r["bits"] for r in own], [r.get(name, float("nan")) for r in own], "o-", label=quantizer, alpha=0.8
            )
        axis.set(xscale="log", xlabel="bits per clip", ylabel=title)
        axis.grid(alpha=0.3)
    errors = [0.05, 0.1, 0.2, 0.4, 0.8]
    axes[0].plot(bound(data, errors), errors, "k--", label="sufficient for the data (Gaussian bound)")
    axes[0].set(yscale="log")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=9)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Train the missing cells, then print the table and plot all cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--rates", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--quantizers", nargs="+", choices=QUANTIZERS, default=list(QUANTIZERS))
    parser.add_argument("--only", choices=("table",))
    args = parser.parse_args()
    CELLS.mkdir(exist_ok=True)
    for quantizer, rate, seed in cells(args.rates, args.quantizers) if args.only is None else []:
        path = CELLS / f"{quantizer}-{rate}-{seed}.json"
        if not path.exists():
            path.write_text(json.dumps(fit(quantizer, rate, seed, args.data), indent=1) + "\n")
    results = read()
    table(results)
    if results:
        plot(results, args.data, HERE / "rate_distortion.png")


if __name__ == "__main__":
    main()
