"""The figures of a row are those of what it predicted, and nothing else."""

from typing import Any

import numpy as np
import pytest

from trajvq.metrics.forecast.baselines import Baselines
from trajvq.metrics.forecast.predictions import OBJECT_SUMS, PICTURE
from trajvq.metrics.forecast.scoreboard import forecast_remarks, forecast_rows
from trajvq.metrics.scoreboard import value_of

CLIPS, CONTEXT, FRAMES = 6, 4, 10


def predictions(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """Return a model that is 3 px off, its samples 5, 6 and 7 px, and a row that sees nothing."""
    truth = 20 + np.random.default_rng(0).normal(0, 4, (CLIPS, FRAMES, 2))
    future, right = truth[:, CONTEXT:], np.array([1.0, 0.0])
    shape = future.shape[:2]
    arrays: dict[str, np.ndarray] = {
        **{"index": np.arange(CLIPS), "truth": truth, "valid": np.ones((CLIPS, FRAMES), bool), "tracked": truth},
        **{"clip": np.arange(CLIPS), "object": np.zeros(CLIPS, int), "occupied": np.ones(shape, bool)},
        **{"later": np.zeros(CLIPS, int)},
        "samples": np.stack([future + offset * right for offset in (5, 6, 7)], axis=1),
        "model/pixel": future + 3 * right,
        "blank/pixel": np.full_like(future, np.nan),
    }
    for row, visible in (("model", 1.0), ("blank", 0.0)):
        figures = {"visible": visible, "object_square_error": 2.0, "object_pixels": 20.0, "square_error": 0.01}
        figures["similarity"] = 0.75
        assert figures.keys() == {"visible", *OBJECT_SUMS, *PICTURE}
        arrays |= {f"{row}/{name}": np.full(shape, value) for name, value in figures.items()}
    return arrays | changes


BASELINES = Baselines(np.zeros((0, 0, 2)), None, [], {}, (32, 32), FRAMES)


def rows_of(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    return forecast_rows(BASELINES, "test", arrays, CONTEXT)[0]


def test_every_row_has_the_figures_of_its_own_predictions() -> None:
    rows = rows_of(predictions())
    assert next(iter(rows)) == "blank"
    assert list(rows)[-2:] == ["samples_middle", "model"]
    model = rows["model"]
    assert value_of(model["ade"]) == pytest.approx(3)
    assert value_of(model["fde"]) == pytest.approx(3)
    assert value_of(model["miss_2px"]) == 1
    assert value_of(model["ade_samples"]) == pytest.approx(6)
    assert value_of(model["min_ade_3"]) == pytest.approx(5)
    assert value_of(rows["samples_middle"]["ade"]) == pytest.approx(6, abs=0.01)
    assert value_of(rows["blank"]["ade"]) == 32
    for row in ("model", "blank"):
        assert value_of(rows[row]["mse"]) == pytest.approx(0.01)
        assert value_of(rows[row]["psnr"]) == pytest.approx(20)
        assert value_of(rows[row]["ssim"]) == pytest.approx(0.75)
        assert value_of(rows[row]["object_psnr"]) == pytest.approx(10)
    assert [value_of(rows[row]["visible"]) for row in ("model", "blank")] == [1, 0]
    assert "mse" not in rows["constant_velocity"]


def test_frames_beyond_the_clips_do_not_count_in_the_errors_of_pixels() -> None:
    arrays = predictions()
    arrays["model/square_error"][:, 3:] = np.nan
    arrays["model/similarity"][:, 3:] = np.nan
    arrays["model/square_error"][:, 0] = 0.04
    assert value_of(rows_of(arrays)["model"]["mse"]) == pytest.approx(0.02)
    arrays["model/square_error"][:] = np.nan
    assert not {"mse", "psnr", "ssim"} & rows_of(arrays)["model"].keys()


def test_a_single_sample_leaves_figures_of_variety_out_and_a_remark_says_so() -> None:
    arrays = predictions()
    arrays["samples"] = arrays["samples"][:, :1]
    model = rows_of(arrays)["model"]
    assert value_of(model["ade_samples"]) == pytest.approx(5)
    assert not {"energy_score", "calibration", "calibration_ideal"} & model.keys()
    (remark,) = forecast_remarks(BASELINES, arrays, CONTEXT)
    assert remark.startswith("energy_score and calibration are left out")


def test_without_any_object_its_figures_are_left_out_and_a_remark_says_so() -> None:
    assert forecast_remarks(BASELINES, predictions(), CONTEXT) == []
    valid = np.ones((CLIPS, FRAMES), bool)
    valid[:, CONTEXT:] = False
    arrays = predictions(valid=valid, occupied=valid[:, CONTEXT:], later=np.array([2, 0, 1, 0, 0, 0]))
    rows = rows_of(arrays)
    for row in rows.values():
        assert row.keys() <= {"mse", "psnr", "ssim"}
    left_out, later = forecast_remarks(BASELINES, arrays, CONTEXT)
    assert left_out.startswith("ade and all other figures of objects are left out")
    assert later == "3 objects that are visible in no frame of their context are not charged"
