"""Tokens of a submitted file: causal or not, one codebook or several, and what is wrong with others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajvq.errors import DataError
from trajvq.metrics.submissions.tokens import SubmittedTokens, read_tokens

CLIPS = 3
PATH = Path("made.npz")


def read(frames: int = 16, height: int = 32, width: int = 32, **arrays: Any) -> SubmittedTokens:
    tokens = read_tokens(arrays, np.arange(CLIPS), (frames, 3, height, width), PATH)
    assert tokens is not None
    return tokens


def grid(*shape: int, size: int = 8) -> np.ndarray:
    return np.arange(CLIPS * int(np.prod(shape))).reshape(CLIPS, *shape) % size


@pytest.mark.parametrize(
    ("frames", "latent", "stride"),
    [(16, 4, 4), (17, 5, 4), (9, 3, 4), (33, 5, 8), (17, 17, 1), (17, 1, 17), (1, 1, 1), (12, 4, 3), (16, 16, 1)],
)
def test_latent_frames_may_be_causal(frames: int, latent: int, stride: int) -> None:
    tokens = read(frames, indices=grid(latent, 4, 4), codebook_size=8)
    assert tokens.strides == (stride, 8, 8)
    assert tokens.indices.shape == (CLIPS, 1, latent, 4, 4)
    assert tokens.remarks == ()


def test_codebooks_come_before_or_after_the_grid() -> None:
    indices = grid(2, 4, 4, 4)
    first = read(indices=indices, codebook_size=8)
    last = read(indices=np.moveaxis(indices, 1, -1), codebook_size=np.array([8, 8]))
    assert first.indices.tolist() == last.indices.tolist() == indices.tolist()
    assert first.sizes == last.sizes == (8, 8)
    assert first.remarks[0].endswith("are read as (N, q, t, h, w): 2 codebooks")
    assert last.remarks[0].endswith("are read as (N, t, h, w, q): 2 codebooks")
    assert read(indices=grid(4, 4, 4, 1), codebook_size=8).remarks == ()


def test_codebooks_may_have_sizes_of_their_own() -> None:
    digits = np.stack([grid(4, 4, 4, size=8), grid(4, 4, 4, size=5)], axis=1)
    tokens = read(indices=digits, codebook_size=[8, 5])
    numbers, count = tokens.numbered()
    assert count == 13
    assert numbers[:, 0].max() == 7
    assert numbers[:, 1].min() == 8


def test_a_large_codebook_takes_no_memory() -> None:
    numbers, count = read(indices=grid(4, 4, 4) * 2**32, codebook_size=2**36).numbered()
    assert (count, numbers.max()) == (8, 7)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"indices": grid(4, 4, 4)}, "no 'codebook_size'"),
        ({"indices": grid(4, 4, 4) / 1, "codebook_size": 8}, "'indices' are float64; give the numbers of the codes"),
        ({"indices": 4, "codebook_size": 8}, "'indices' are of 1 clips, and 'video' of 3"),
        ({"indices": grid(4, 4, 4)[:2], "codebook_size": 8}, "'indices' are of 2 clips, and 'video' of 3"),
        ({"indices": grid(4, 4, 4) + 1, "codebook_size": 8}, "'indices' go from 1 to 8, not 0 to 7"),
        ({"indices": grid(2, 4, 4, 4), "codebook_size": [8, 7]}, "of codebook 1 go from 0 to 7, not 0 to 6"),
        ({"indices": grid(7, 4, 4), "codebook_size": 8}, "(3, 7, 4, 4) are no grids of tokens of clips of 16 frames"),
        ({"indices": grid(4, 4, 5), "codebook_size": 8}, "give (N, t, h, w), or (N, q, t, h, w)"),
        ({"indices": grid(64), "codebook_size": 8}, "or leave 'indices' out"),
        ({"indices": grid(4, 4, 4), "codebook_size": [8, 5, 5]}, "is [8, 5, 5]; give one whole number; for FSQ, the"),
        ({"indices": grid(2, 4, 4, 4), "codebook_size": [8] * 3}, "one whole number, or one for each of 2 codebooks"),
        ({"indices": grid(4, 4, 4), "codebook_size": 7.5}, "'codebook_size' is [7.5]; give one whole number"),
        ({"indices": grid(4, 4, 4), "codebook_size": 2**63}, "no more than 2^62 codes"),
    ],
)
def test_faults_are_named(arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(**arrays)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
