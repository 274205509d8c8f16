"""A submitted file is read as the field writes it, and a fault is one line that names it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate

CLIPS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("submission") / "data"
    generate(path, {"train": 4, "val": 4, "test": CLIPS}, frames=9, size=32)
    return path


@pytest.fixture(scope="module")
def video(folder: Path) -> np.ndarray:
    return Clips(folder, "test").batch(list(range(CLIPS)))["video"].numpy()


def score(here: Path, folder: Path, **arrays: Any) -> dict[str, Any]:
    np.savez(here / "made.npz", **arrays)
    out = here / "board.json"
    assert main(["score", str(here / "made.npz"), "--data", str(folder), "--out", str(out)]) == 0
    board: dict[str, Any] = json.loads(out.read_text())
    return board


def test_tokens_of_a_causal_residual_tokenizer_are_scored(tmp_path: Path, folder: Path, video: np.ndarray) -> None:
    indices = np.arange(CLIPS * 2 * 3 * 4 * 4).reshape(CLIPS, 2, 3, 4, 4) % 7
    board = score(tmp_path, folder, video=video, indices=indices, codebook_size=2**36)
    row = board["rows"]["model"]
    assert row["bits"] == pytest.approx(2 * 3 * 4 * 4 * 36)
    assert row["codes_used"] == 14  # seven of each codebook
    assert any(remark.startswith("probe_accuracy is left out") for remark in board["remarks"])
    assert any("(N, q, t, h, w): 2 codebooks" in remark for remark in board["remarks"])


def test_values_a_little_beyond_the_range_are_clamped_and_said(tmp_path: Path, folder: Path, video: np.ndarray) -> None:
    unclamped = (video / 255).astype(np.float32)
    unclamped[:, 3, :, 5, 5], unclamped[:, 4, :, 6, 6] = 1.2, -0.1
    board = score(tmp_path, folder, video=unclamped)
    clamped = score(tmp_path, folder, video=unclamped.clip(0, 1))
    assert board["rows"] == clamped["rows"]
    share = 2 / (9 * 32 * 32)
    assert f"video: {share:.2%} of the values, from -0.1 to 1.2, lie beyond [0, 1] and are clamped" in board["remarks"]
    assert not any("clamped" in remark for remark in clamped["remarks"])


def test_what_is_scored_and_what_is_not_is_said(tmp_path: Path, folder: Path, video: np.ndarray) -> None:
    originals = score(tmp_path, folder, video=video, theirs=video[::-1], index=np.arange(CLIPS))["remarks"]
    assert "video: uint8 in order (N, T, 3, H, W)" in originals
    assert any(remark.startswith("arrays not used: theirs (4, 9, 3, 32, 32);") for remark in originals)
    same = "all clips equal those of the split; 'video' is for the reconstructions"
    assert same in originals
    assert same not in score(tmp_path, folder, video=video[::-1])["remarks"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"video": lambda v: v[:3]}, f"holds 3 clips for the {CLIPS}"),
        ({"index": lambda v: np.zeros(CLIPS, int)}, "'index' is not a permutation of 0 to 3"),
        ({"video": lambda v: v[:, :8]}, "clips are 8 frames of 32x32, but the split has 9 of 32x32"),
        ({"video": lambda v: np.full(v.shape, np.nan, np.float32)}, "NaN"),
        ({"video": lambda v: v / 127.5 - 1}, "give (video + 1) / 2 if its range is -1 to 1"),
        ({"video": lambda v: v.astype(np.float32)}, "divide by 255, or give uint8"),
        ({"video": lambda v: v.astype(np.int32)}, "is int32, neither uint8 nor float in [0, 1]"),
        ({"indices": lambda v: np.zeros((CLIPS, 4, 4, 4), int), "codebook_size": lambda v: 8}, "no grids of tokens"),
        ({"indices": lambda v: np.array(["a"] * CLIPS), "codebook_size": lambda v: 8}, "give the numbers of the codes"),
    ],
)
def test_a_fault_is_one_line_that_names_it(
    tmp_path: Path,
    folder: Path,
    video: np.ndarray,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    words: str,
) -> None:
    np.savez(tmp_path / "made.npz", **{"video": video, **{name: make(video) for name, make in change.items()}})
    assert main(["score", str(tmp_path / "made.npz"), "--data", str(folder)]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1


def test_an_output_that_cannot_be_written_is_one_line(
    tmp_path: Path, folder: Path, video: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "made.npz", video=video)
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "board.json"
    assert main(["score", str(tmp_path / "made.npz"), "--data", str(folder), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert "model" in captured.out  # the scoreboard is not lost
    assert captured.err.startswith(f"trajvq: cannot write {out}: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 2, 1, 3, 4), (0, 1, 3, 4, 2), (1, 0, 2, 3, 4)])
def test_clips_are_read_in_any_order_however_alike_they_are(
    tmp_path: Path, folder: Path, video: np.ndarray, order: tuple[int, ...]
) -> None:
    noise = np.random.default_rng(0).integers(0, 240, (1, *video.shape[1:]))
    alike = (noise + np.arange(CLIPS).reshape(-1, 1, 1, 1, 1)).astype(np.uint8)
    board = score(tmp_path, folder, video=alike.transpose(order))
    assert board["rows"]["model"]["mse"] == pytest.approx(((alike / 255.0 - video / 255.0) ** 2).mean(), rel=1e-3)
