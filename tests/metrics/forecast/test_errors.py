"""The error by predicted frame is that of the objects in it, and there is none without objects."""

import json

import numpy as np
import pytest

from trajvq.metrics.forecast.errors import forecast_figures, points_of


def test_a_frame_without_objects_has_no_error_in_valid_json() -> None:
    truth, valid = np.zeros((3, 4, 2)), np.ones((3, 4), dtype=bool)
    valid[0, 1] = False
    valid[:, 2:] = False
    predicted = truth + np.array([[[3.0, 4.0]], [[0.0, 2.0]], [[np.nan, 0.0]]])
    horizon = forecast_figures(truth, valid, predicted, np.arange(3))["horizon"]
    assert horizon == pytest.approx([(5 + 2 + 32) / 3, (2 + 32) / 2, None, None])
    assert json.loads(json.dumps(horizon, allow_nan=False)) == horizon
    assert points_of([0.5, None, 0.25]) == ([1, 3], [0.5, 0.25])
