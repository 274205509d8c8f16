"""Many nonlinear least-squares problems at once, with and without bounds."""

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.least_squares import Damping, levenberg_marquardt

DAMPING = Damping(start=1e-3, decrease=5, increase=4, ridge=1e-12)
TIME = np.linspace(0, 1, 10)
TRUE = np.array([[1.0, -2.0], [0.5, 1.0], [2.0, 0.0]])


def model(unknowns: Floats) -> Floats:
    """Return ``(N, 10, 2)`` positions: an exponential in x, a line in y."""
    rate, slope = unknowns[..., :1], unknowns[..., 1:]
    return np.stack([np.exp(rate * TIME), slope * TIME], axis=-1)


def linearize(unknowns: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    jacobian = np.zeros((*unknowns.shape[:-1], len(TIME), 2, 2))
    jacobian[..., 0, 0] = TIME * np.exp(unknowns[..., :1] * TIME)
    jacobian[..., 1, 1] = TIME
    return model(TRUE) - model(unknowns), jacobian, np.ones(len(unknowns), dtype=bool)


def test_exact_data_are_fitted_exactly_from_a_distant_start() -> None:
    unknowns, square = levenberg_marquardt(linearize, np.zeros((3, 2)), 25, DAMPING, lambda unknowns: unknowns)
    np.testing.assert_allclose(unknowns, TRUE, atol=1e-6)
    assert (square < 1e-12).all()


def test_unknowns_stay_within_their_bounds_and_the_others_are_fitted() -> None:
    unknowns, _ = levenberg_marquardt(
        linearize,
        np.zeros((3, 2)),
        25,
        DAMPING,
        lambda unknowns: unknowns.clip(-1, 1),
        lambda unknowns, descent: ((unknowns <= -1) & (descent < 0)) | ((unknowns >= 1) & (descent > 0)),
    )
    np.testing.assert_allclose(unknowns, TRUE.clip(-1, 1), atol=1e-6)
