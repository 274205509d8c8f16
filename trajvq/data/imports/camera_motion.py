"""Find out whether the camera moves between two frames: whether one shift explains changes all over the picture.

Objects change few parts of a picture, or each moves in its own way. A camera, or a window that follows an animal,
shifts everything that rests. A plain ground looks the same either way and does not count.

H rows, W columns.
"""

from collections.abc import Iterator
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from trajvq.io.arrays import Bytes

Gray = NDArray[np.float32]

SIDE = 128  # pixels that the longer side of a frame is reduced to, at most
CELLS = 8  # a side: 64 parts of the picture
CHANGED = 0.03  # share of a cell's pixels that must change for the cell to count
IMPROVED = 0.25  # share of the cells in which a shift must explain at least half of the changes
WORSENED = 1 / 8  # of their number, the most cells in which it may double them
PEAKS = 6  # shifts that are tried beside those by one pixel
LEAST_CHANGE, NOISE_RATIO = 2.0, 3.0  # levels, and standard deviations of the noise, that count as a change
LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)  # blind to slopes (Immerkaer, 1996)


def reduced(frame: Bytes) -> Gray:
    """Return a frame, uint8 ``(H, W, 3)``, in gray and with sides of at most `SIDE` pixels."""
    gray = frame.astype(np.float32).mean(axis=-1)
    step = -(-max(gray.shape) // SIDE)
    rows, columns = (max(side // step, 1) for side in gray.shape)
    return np.asarray(gray[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3)))


def noise(difference: Gray) -> float:
    """Return the standard deviation of the noise in the difference of two pictures, ``(H, W)``, in levels.

    Only what is rough in space counts, since noise is and differences between pictures hardly are.
    """
    if min(difference.shape) < 3:
        return 0.0
    rough = ndimage.convolve(difference, LAPLACIAN)[1:-1, 1:-1]
    return float(np.median(np.abs(rough)) / 0.6745 / 6)


def camera_moved(first: Gray, second: Gray) -> bool:
    """Return whether one shift explains changes between two pictures ``(H, W)`` in a quarter of all parts of it."""
    height, width = first.shape
    if min(first.shape) < CELLS:
        return False
    difference = second - first
    limit = max(LEAST_CHANGE, NOISE_RATIO * noise(difference))
    rows, columns = np.arange(height) * CELLS // height, np.arange(width) * CELLS // width
    cell = (rows[:, None] * CELLS + columns).ravel()
    count = np.bincount(cell, minlength=CELLS**2)
    for down, right in _shifts(first, second):
        shifted = np.roll(first, (down, right), (0, 1))
        valid = np.zeros(first.shape, dtype=bool)
        valid[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = True
        before = np.bincount(cell, ((np.abs(difference) > limit) & valid).ravel(), CELLS**2)
        after = np.bincount(cell, ((np.abs(second - shifted) > limit) & valid).ravel(), CELLS**2)
        improved = np.count_nonzero((after <= before / 2) & (before >= CHANGED * count))
        worsened = np.count_nonzero((after > before * 2) & (after >= CHANGED * count))
        if improved >= IMPROVED * CELLS**2 and worsened <= WORSENED * improved:
            return True
    return False


def _shifts(first: Gray, second: Gray) -> Iterator[tuple[int, int]]:
    """Yield likely shifts, rows and columns, that take one picture to the next: peaks of their phase correlation."""
    height, width = first.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    spectra = [np.fft.rfft2((picture - picture.mean()) * window) for picture in (first, second)]
    cross = spectra[1] * spectra[0].conj()
    cross /= np.abs(cross) + 1e-3 * sqrt(np.abs(cross).max()) + 1e-9
    peaks = ndimage.gaussian_filter(np.fft.irfft2(cross, first.shape), 0.7, mode="wrap")
    near = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    for down, right in near:
        peaks[down, right] = -np.inf
    yield from ((down, right) for down, right in near if down or right)
    for _ in range(min(PEAKS, peaks.size - len(near))):
        down, right = (int(k) for k in np.unravel_index(peaks.argmax(), peaks.shape))
        peaks[down, right] = -np.inf
        yield down - height * (down > height // 2), right - width * (right > width // 2)
