"""Breakdowns are means of their clips."""

import numpy as np
import pytest

from tests.report.run_folder import example_details
from trajvq.report.breakdown import by_position, groups


def test_groups_are_means_of_their_clips() -> None:
    details = example_details()
    means = details.by_clip("centroid_error")
    classes = groups(details, "centroid_error", "label")
    assert [(group.name, group.clips) for group in classes] == [("linear", 4), ("circular", 4)]
    assert classes[1].figure["value"] == pytest.approx(means[1::2].mean())
    assert sum(group.clips for group in groups(details, "mse", "speed")) == 8


def test_a_position_map_holds_the_mean_where_the_object_is() -> None:
    details = example_details()
    means = by_position(details, "centroid_error", (16, 24))
    assert np.isfinite(means).sum() == 1
    assert means[7, 1] == pytest.approx(np.nanmean(details.figures["centroid_error"]))
