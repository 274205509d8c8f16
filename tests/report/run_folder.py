"""A run folder for tests of the report, as `trajvq fit` and `trajvq test` write one."""

import json
from pathlib import Path

import numpy as np

from trajvq.metrics.details import ClipDetails, clips_to_keep

CLASSES = ["linear", "circular"]


def example_details(shift: float = 0.0) -> ClipDetails:
    """Return eight clips of a square that moves by one pixel per frame; errors rise with the number of the clip."""
    target = np.full((3, 4, 3, 16, 24), 255, dtype=np.uint8)
    for k in range(4):
        target[:, k, :2, 4:8, 4 + 4 * k : 8 + 4 * k] = 0
    error = np.arange(32.0).reshape(8, 4) / 10 + shift
    error[0, 1] = np.nan
    details = ClipDetails(
        np.arange(8),
        {"centroid_error": error, "mse": np.arange(8.0)},
        {"label": np.arange(8) % 2, "speed": np.arange(8.0), "x": np.full((8, 4), 3.0), "y": np.full((8, 4), 15.0)},
        clips={"target": target, "reconstruction": np.roll(target, 1, axis=-1)},
        paths={"truth": np.zeros((3, 4, 2)) + 8, "samples": np.random.default_rng(0).uniform(2, 14, (3, 5, 4, 2))},
        counts={"all": np.arange(9), "object": np.arange(9) // 4},
        classes=CLASSES,
    )
    details.kept = clips_to_keep(details.by_clip("centroid_error"), 2, 1)
    return details


def write_run(folder: Path, skill: float = 0.9, shift: float = 0.0) -> Path:
    """Write a run folder and return it."""
    (folder / "scoreboards").mkdir(parents=True)
    model = {
        "skill": skill,
        "visible": {"value": 1.0, "low": 0.97, "high": 1.0},
        "mse": 0.0021,
        "bits": 2551.2,
        "min_ade_5": 0.25,
        "sharpness": 0.5,
        "of_an_older_version": 7.0,
        "per_class": dict.fromkeys(CLASSES, 0.5),
        "confusion": [[3, 1, 0], [0, 4, 0]],
        "horizon": [0.1, None, 0.5, None],  # no object in two frames
    }
    blank = {"skill": 0.0, "visible": {"value": 0.0, "low": 0.0, "high": 0.1}, "mse": 0.0014}
    h264 = {"skill": 0.5, "mse": 0.0018, "bits": 2498.0, "bits_beyond_still": 601.0}
    board = {
        "task": "recon",
        "split": "test",
        "clips": 8,
        "truth": "stored",
        "classes": CLASSES,
        "checkpoint": "a<b>.ckpt",
        "figures": {"sharpness": {"name": "sharpness", "meaning": "gradients over those of the target", "digits": 2}},
        "remarks": ["row h264: CRF 40, chosen on 8 clips"],
        "rows": {"blank": blank, "h264": h264, "model": model},
    }
    (folder / "scoreboards/test.json").write_text(json.dumps(board))
    example_details(shift).save(folder / "scoreboards/test.npz")
    (folder / "metrics.csv").write_text("epoch,step,train/loss,val/skill\n0,1,0.5,\n0,2,0.25,0.4\n0,4,,0.8\n")
    (folder / "config.yaml").write_text("model: {}\n")
    command = {"command": "trajvq fit --x '<y>'", "started": "now", "versions": {"torch": "2"}}
    (folder / "provenance.json").write_text(json.dumps({"commands": [command]}))
    return folder
