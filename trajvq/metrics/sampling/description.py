"""How many bits clips need at a given precision, from a count of their parameters."""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.motion import FAMILIES


def parameter_bits(
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    side: float,
    errors: tuple[float, float, float],
    objects: NDArray[np.int64] | None = None,
) -> float:
    """Return the mean bits per clip of the numbers that describe it, at the precision that a tokenizer reaches.

    This is a plain count (Rissanen, 1978) to compare with tokens: for each unknown of the motion family in the picture
    a coordinate within the frame; the radius as a share of the frame; three colors of 256 values; and the class. The
    objects of a clip have numbers of their own, but one class. Unknowns that matter less could be coarser.

    Args:
        labels: ``(N,)`` classes.
        classes: Names of the classes. One that is no registered motion family counts like the family with the most
            unknowns.
        side: Side of the frame in px.
        errors: RMS errors of a coordinate in px, of the radius in px, and of a color in 256ths.
        objects: ``(N,)`` number of objects in each clip; None for one.
    """
    unknowns = {motion.name: motion.unknowns for motion in FAMILIES}
    most = max(unknowns.values())
    number = np.ones(len(labels)) if objects is None else objects
    mean = float(np.mean(number * [unknowns.get(classes[k], most) for k in labels]))
    position, radius, color = (max(error, 1e-3) for error in errors)
    appearance = np.log2(max(side / radius, 1)) + 3 * np.log2(max(256 / color, 1))
    return float(mean * np.log2(max(side / position, 1)) + number.mean() * appearance + np.log2(len(classes)))
