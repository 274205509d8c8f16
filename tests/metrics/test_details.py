"""ClipDetails: what is saved comes back, and the worst clips are kept."""

from pathlib import Path

import numpy as np
import pytest

from tests.report.run_folder import CLASSES, example_details
from trajvq.errors import UserError
from trajvq.metrics.details import ClipDetails


def test_saved_details_are_loaded_unchanged_and_the_worst_clips_are_kept(tmp_path: Path) -> None:
    details = example_details()
    assert details.kept.tolist() == [7, 6, 0]
    details.save(tmp_path / "a.npz")
    loaded = ClipDetails.load(tmp_path / "a.npz")
    assert loaded.classes == CLASSES
    assert list(loaded.figures) == ["centroid_error", "mse"]
    for group in ("figures", "facts", "clips", "paths", "counts"):
        for name, value in getattr(details, group).items():
            np.testing.assert_array_equal(getattr(loaded, group)[name], value)
    assert loaded.by_clip("centroid_error")[0] == pytest.approx((0 + 0.2 + 0.3) / 3)


def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", index=np.arange(3))
    with pytest.raises(UserError, match=r"a\.npz cannot be read .*; run `trajvq test` again"):
        ClipDetails.load(tmp_path / "a.npz")
