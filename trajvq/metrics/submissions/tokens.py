"""SubmittedTokens: the tokens of a submitted file, of any tokenizer: causal or not, with one codebook or several.

N clips of T frames and H x W pixels; q codebooks; t, h, w tokens over latent frames, rows and columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.errors import DataError

LARGEST = 2**62  # codes of all codebooks, so that every code has a number


@dataclass(frozen=True)
class SubmittedTokens:
    """Tokens of a split.

    Attributes:
        indices: int64 ``(N, q, t, h, w)``.
        sizes: Number of codes of each codebook, ``(q,)``.
        strides: Frames, rows and columns that a token covers. The first latent frame of a causal tokenizer covers a
            single frame.
        remarks: What was assumed, a line each.
    """

    indices: NDArray[np.int64]
    sizes: tuple[int, ...]
    strides: tuple[int, int, int]
    remarks: tuple[str, ...]

    def numbered(self) -> tuple[NDArray[np.int64], int]:
        """Return tokens by their number among the codes in use, ``(N, q, t, h, w)``, and how many those are."""
        first = np.cumsum([0, *self.sizes[:-1]]).reshape(-1, 1, 1, 1)
        codes, number = np.unique(self.indices + first, return_inverse=True)
        return number.reshape(self.indices.shape), len(codes)


def read_tokens(
    arrays: Mapping[str, Any], rows: NDArray[np.int64], shape: tuple[int, int, int, int], path: Path
) -> SubmittedTokens | None:
    """Return the tokens of a file, or None if it has none.

    Args:
        arrays: Arrays of the file: ``indices`` whole numbers ``(N, t, h, w)``, ``(N, q, t, h, w)`` or
            ``(N, t, h, w, q)``, and ``codebook_size``, one number or ``(q,)``.
        rows: Row of the file of each clip of the split, ``(N,)``.
        shape: (T, C, H, W) of the clips.
        path: The file, for messages.

    Raises:
        DataError: If the tokens do not fit the clips or the codebooks.
    """
    if "indices" not in arrays:
        return None
    indices = np.atleast_1d(arrays["indices"])
    if indices.dtype.kind not in "iu":
        raise DataError(f"{path}: 'indices' are {indices.dtype}; give the numbers of the codes, as integers")
    if len(indices) != len(rows):
        raise DataError(f"{path}: 'indices' are of {len(indices)} clips, and 'video' of {len(rows)}")
    indices, remarks = _with_codebooks(indices, shape, path)
    sizes = _sizes(arrays, indices.shape[1], path)
    for number, size in enumerate(sizes):
        part, which = indices[:, number], f"'indices' of codebook {number}" if len(sizes) > 1 else "'indices'"
        if part.min() < 0 or part.max() >= size:
            raise DataError(f"{path}: {which} go from {part.min()} to {part.max()}, not 0 to {size - 1}")
    t, h, w = indices.shape[2:]
    strides = (_frame_stride(shape[0], t), shape[2] // h, shape[3] // w)
    return SubmittedTokens(indices[rows].astype(np.int64), sizes, strides, remarks)


def _with_codebooks(
    indices: NDArray[Any], shape: tuple[int, int, int, int], path: Path
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return tokens as ``(N, q, t, h, w)``, and the order of their axes in words if there are several codebooks."""
    if indices.ndim == 4 and _fits(indices.shape[1:], shape):
        return indices[:, None], ()
    if indices.ndim == 5:
        orders = {"(N, q, t, h, w)": indices, "(N, t, h, w, q)": np.moveaxis(indices, -1, 1)}
        fitting = {name: tokens for name, tokens in orders.items() if _fits(tokens.shape[2:], shape)}
        square = {name: tokens for name, tokens in fitting.items() if _square(tokens.shape[3:], shape)}
        for name, tokens in (square or fitting).items():
            codebooks = tokens.shape[1]
            return tokens, (f"indices {indices.shape} are read as {name}: {codebooks} codebooks",) * (codebooks > 1)
    frames, _, height, width = shape
    raise DataError(
        f"{path}: 'indices' {indices.shape} are no grids of tokens of clips of {frames} frames of {width}x{height}; "
        "give (N, t, h, w), or (N, q, t, h, w) for q codebooks, where t divides the frames, or t - 1 the frames after "
        "the first, and h and w divide the sides; or leave 'indices' out"
    )


def _fits(grid: tuple[int, ...], shape: tuple[int, int, int, int]) -> bool:
    """Return whether a grid ``(t, h, w)`` of tokens divides clips, causally in time or not."""
    (t, h, w), (frames, _, height, width) = grid, shape
    if min(grid) < 1 or height % h or width % w:
        return False
    return frames % t == 0 or (t > 1 and (frames - 1) % (t - 1) == 0)


def _square(grid: tuple[int, ...], shape: tuple[int, int, int, int]) -> bool:
    """Return whether the cells of a grid ``(h, w)`` are square."""
    return shape[2] // grid[0] == shape[3] // grid[1]


def _frame_stride(frames: int, t: int) -> int:
    """Return the frames that a token covers. Where both readings are possible, a stride is a power of two."""
    plain = frames // t if frames % t == 0 else 0
    causal = (frames - 1) // (t - 1) if t > 1 and (frames - 1) % (t - 1) == 0 else 0
    if plain and causal:
        return causal if plain.bit_count() > 1 == causal.bit_count() else plain
    return plain or causal


def _sizes(arrays: Mapping[str, Any], codebooks: int, path: Path) -> tuple[int, ...]:
    """Return the number of codes of each codebook."""
    if "codebook_size" not in arrays:
        raise DataError(f"{path} has 'indices' but no 'codebook_size'; give the number of codes")
    sizes = np.asarray(arrays["codebook_size"]).reshape(-1)
    whole = sizes.dtype.kind in "iuf" and bool(np.all((sizes >= 1) & (sizes == np.floor(sizes))))
    if not whole or len(sizes) not in (1, codebooks):
        wanted = "one whole number" if codebooks == 1 else f"one whole number, or one for each of {codebooks} codebooks"
        hint = "; for FSQ, the product of its levels" if whole and codebooks == 1 else ""
        raise DataError(f"{path}: 'codebook_size' is {sizes.tolist()}; give {wanted}{hint}")
    numbers = [int(size) for size in sizes.tolist()] * (codebooks if len(sizes) == 1 else 1)
    if sum(numbers) > LARGEST:
        raise DataError(f"{path}: 'codebook_size' is {sizes.tolist()}; no more than 2^62 codes can be numbered")
    return tuple(numbers)
