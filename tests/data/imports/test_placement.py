"""What rests, what is flat, and which origin keeps motion exact."""

import numpy as np
import pytest

from trajvq.data.imports.placement import are_flat, at_rest, origins_of


def paths(*scales: float, offset: float = 0.0) -> np.ndarray:
    """One straight path (T, 3) of each length along x."""
    steps = np.linspace(0, 1, 16)[:, None] * [1.0, 0.3, 0.0]
    return np.stack([offset + scale * steps for scale in scales])


def test_only_rounding_is_rest() -> None:
    assert at_rest(paths(200.0, 1e-6, 0.0, 0.01) + 5).tolist() == [False, True, True, False]
    assert at_rest(paths(1e-9, 2e-9, offset=5.0)).tolist() == [True, True]
    assert not at_rest(paths(0.1, offset=4.5e6)).any(), "a tenth of a meter in UTM"
    assert not at_rest(paths(1e-9, 2e-9)).any(), "small units, but nothing to round"


def test_flat_paths_keep_their_z() -> None:
    flat = paths(1.0, 5.0)
    assert are_flat(flat)
    assert are_flat(flat + np.array([0.0, 7.0])[:, None, None] * [0, 0, 1]), "each in a plane of its own"
    tilted = flat.copy()
    tilted[1, :, 2] = np.linspace(0, 0.1, 16)
    assert not are_flat(tilted)


@pytest.mark.parametrize("offset", [0.0, 100.0, 1000.0])
def test_small_coordinates_stay_as_they_are(offset: float) -> None:
    assert origins_of(paths(10.0, 20.0, offset=offset)) is None


def test_an_origin_keeps_what_float32_would_round_away() -> None:
    near = paths(0.1, 0.2, offset=4_493_780.0)
    subtracted = origins_of(near)
    assert subtracted is not None
    assert subtracted.shape == (3,)
    far = np.concatenate([near, paths(0.1, offset=9e6)])
    origins = origins_of(far)
    assert origins is not None
    assert origins.shape == (3, 3)
    stored = (far - origins[:, None]).astype(np.float32).astype(float) + origins[:, None]
    assert np.abs(stored - far).max() < 1e-6
