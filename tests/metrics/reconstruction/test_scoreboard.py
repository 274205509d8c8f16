"""Figures mean what they say, and cheats score badly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.functional.image import peak_signal_noise_ratio

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.data.synthetic.scene import make_clips
from trajvq.errors import UserError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.figures import Figure, register
from trajvq.metrics.reconstruction import scoreboard
from trajvq.metrics.reconstruction.h264 import is_available
from trajvq.metrics.reconstruction.scoreboard import ReconstructionScoreboard, scoreboard_for
from trajvq.metrics.reconstruction.truth import background_of
from trajvq.metrics.scoreboard import value_of

Batch = dict[str, Tensor]
CLIPS = 12


@pytest.fixture(scope="module")
def batch() -> Batch:
    clips = make_clips(6, "test", 0, CLIPS, 16, 64)
    columns = {name: torch.from_numpy(v) for name, v in clips.items() if v.dtype.kind != "S"}
    return columns | {"video": to_float(columns["video"])}


def score(batch: Batch, reconstruction: Tensor) -> dict[str, float]:
    board = ReconstructionScoreboard()
    for part in (slice(0, 5), slice(5, None)):  # uneven batches
        board.update({name: value[part] for name, value in batch.items()}, reconstruction[part])
    return {name: value_of(figure) for name, figure in board.compute()["rows"]["model"].items()}


def test_the_truth_is_perfect(batch: Batch) -> None:
    row = score(batch, batch["video"])
    assert row["skill"] == 1
    assert row["mse"] == 0
    assert row["visible"] == 1
    assert row["centroid_error"] <= 0.03
    assert row["radius_error"] <= 0.05
    assert row["color_error"] == 0
    assert row["moving_psnr"] == 100


def test_blank_clips_cost_the_full_error_in_every_frame(batch: Batch) -> None:
    row = score(batch, torch.ones_like(batch["video"]))
    assert row["skill"] <= 0
    assert row["psnr"] > 25
    assert row["visible"] == 0
    assert row["centroid_error"] == 32
    assert row["object_psnr"] < 12
    assert row["moving_psnr"] < 20


def test_a_constant_shift_is_measured(batch: Batch) -> None:
    moved = (batch["video"] + batch["video"].roll(1, dims=-1)) / 2  # half a pixel to the right
    assert score(batch, moved)["centroid_error"] == pytest.approx(0.5, abs=0.03)


def test_an_object_that_vanishes_half_way_is_visible_in_half_of_the_frames(batch: Batch) -> None:
    reconstruction = batch["video"].clone()
    reconstruction[:, :, 8:] = 1
    row = score(batch, reconstruction)
    assert row["visible"] == 0.5
    assert row["centroid_error"] == pytest.approx(16, abs=0.1)


def test_a_frozen_object_is_not_visible(batch: Batch) -> None:
    row = score(batch, batch["video"][:, :, :1].expand_as(batch["video"]))
    assert row["skill"] < 0
    assert row["visible"] < 0.7
    assert row["centroid_error"] > 5


def test_a_second_object_is_not_the_object(batch: Batch) -> None:
    reconstruction = torch.minimum(batch["video"], batch["video"].flip(-1))
    assert score(batch, reconstruction)["visible"] < 0.2


def test_a_grey_cast_is_no_object(batch: Batch) -> None:
    assert score(batch, torch.full_like(batch["video"], 0.9))["visible"] == 0


def test_occluded_frames_do_not_count(batch: Batch) -> None:
    occluded = torch.zeros(CLIPS, 16, 1, dtype=torch.bool)
    occluded[:, 8:] = True
    reconstruction = batch["video"].clone()
    reconstruction[:, :, 8:] = 1
    row = score(batch | {"occluded": occluded}, reconstruction)
    assert row["visible"] == 1
    assert row["centroid_error"] <= 0.03


def test_the_mean_clip_is_the_zero_of_skill(batch: Batch) -> None:
    reconstruction = batch["video"].mean(dim=2, keepdim=True).expand_as(batch["video"])
    assert score(batch, reconstruction)["skill"] == pytest.approx(0, abs=1e-9)


def test_psnr_equals_torchmetrics(batch: Batch) -> None:
    reconstruction = torch.from_numpy(to_uint8((batch["video"] + 0.05 * torch.randn_like(batch["video"])).clamp(0, 1)))
    reconstruction = reconstruction.transpose(1, 2).float() / 255
    row = score(batch, reconstruction)
    psnr = float(peak_signal_noise_ratio(reconstruction, batch["video"], data_range=1.0))
    assert row["psnr"] == pytest.approx(psnr, abs=1e-3)
    assert row["mse"] == pytest.approx(float((reconstruction - batch["video"]).square().mean()), rel=1e-5)


def test_without_ground_truth_the_tracked_target_is_the_truth(batch: Batch) -> None:
    board = ReconstructionScoreboard()
    board.update({"video": batch["video"]}, batch["video"])
    content = board.compute()
    assert content["truth"] == "tracked"
    assert content["clips"] == CLIPS
    assert content["rows"]["model"]["visible"]["value"] == 1
    assert content["rows"]["model"]["centroid_error"]["value"] == 0
    assert content["rows"]["blank"]["visible"]["value"] == 0


@pytest.mark.parametrize("speed", [0.0, 0.3])
def test_the_background_estimate_contains_no_slow_object(speed: float) -> None:
    video = torch.full((1, 3, 16, 32, 32), 0.8)
    for frame in range(16):
        x = int(5 + speed * frame)
        video[:, :, frame, 10:15, x : x + 5] = 0.1
    assert torch.equal(estimate_background(video), torch.full((1, 3, 1, 32, 32), 0.8))


def test_a_textured_background_is_recovered_behind_a_moving_object() -> None:
    texture = torch.rand(1, 3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    video = texture.repeat(1, 1, 16, 1, 1)
    for frame in range(16):
        video[:, :, frame, 10:13, 1 + frame : 4 + frame] = 0.0
    assert torch.equal(estimate_background(video), texture)
    assert np.isfinite(to_uint8(video)).all()


def test_frames_without_truth_leave_no_nan(batch: Batch) -> None:
    video = batch["video"].clone()
    video[:, :, 5] = 1  # no object, so nothing to track
    board = ReconstructionScoreboard()
    board.update({"video": video}, video)
    content = board.compute()
    assert content["truth"] == "tracked"
    for figure in ("visible", "centroid_error"):
        assert np.isfinite(list(content["rows"]["model"][figure].values())).all()


def test_still_clips_are_counted_apart(batch: Batch) -> None:
    video = batch["video"].clone()
    video[:4] = video[:4, :, :1]
    answer = torch.from_numpy(to_uint8(video * 0.98)).transpose(1, 2) / 255
    board, moving = ReconstructionScoreboard(), ReconstructionScoreboard()
    board.update(batch | {"video": video}, answer)
    moving.update({name: value[4:] for name, value in batch.items()}, answer[4:])
    content = board.compute()
    assert content["still_clips"] == 4
    assert content["remarks"] == ["nothing moves in 4 of 12 clips: they do not count in skill and moving_psnr"]
    for row, figures in moving.compute()["rows"].items():
        for name in ("moving_psnr", "skill"):
            assert value_of(content["rows"][row][name]) == pytest.approx(value_of(figures[name]))
    quick = ReconstructionScoreboard(full=False)
    quick.update(batch | {"video": video}, answer)
    assert quick.compute()["rows"]["model"]["skill"] == pytest.approx(content["rows"]["model"]["skill"], abs=1e-6)


@pytest.mark.parametrize("frames", [1, 16])
@pytest.mark.parametrize("full", [True, False])
def test_where_nothing_moves_skill_and_moving_psnr_are_left_out_in_words(batch: Batch, frames: int, full: bool) -> None:
    board = ReconstructionScoreboard(full=full)
    still = batch["video"][:, :, :1].expand(-1, -1, frames, -1, -1)
    cut = {name: value[:, :frames] for name, value in batch.items() if name in ("pixel", "radius", "occluded")}
    board.update(batch | cut | {"video": still}, still * 0.9)
    content = board.compute()
    assert all("moving_psnr" not in row and "skill" not in row for row in content["rows"].values())
    assert content["rows"]["model"]["mse"] > 0
    if full:
        assert content["remarks"][0].endswith("skill and moving_psnr, which are left out")


def test_surplus_objects_are_counted_and_spoil_their_frames(batch: Batch) -> None:
    reconstruction = batch["video"].clone()
    corners = batch["pixel"][..., 0, :] > 32  # put it into the opposite quarter
    for clip, frame in np.ndindex(CLIPS, 4):
        x, y = (8 if far else 48 for far in corners[clip, frame])
        reconstruction[clip, :, frame, y : y + 6, x : x + 6] = 0
    row = score(batch, reconstruction)
    assert row["surplus"] == pytest.approx(0.25)
    assert row["visible"] == pytest.approx(0.75)
    assert row["centroid_error"] <= 0.03


def test_the_target_is_a_row_whose_errors_are_the_trackers(batch: Batch) -> None:
    board = ReconstructionScoreboard()
    board.update(batch, torch.ones_like(batch["video"]))
    row = {name: value_of(figure) for name, figure in board.compute()["rows"]["target"].items()}
    assert (row["skill"], row["visible"], row["surplus"], row["object_psnr"]) == (1, 1, 0, 100)
    assert 0 < row["centroid_error"] <= 0.03


def test_ssim_of_frames_smaller_than_its_window_is_left_out_in_words() -> None:
    video = torch.rand(2, 3, 4, 10, 12, generator=torch.Generator().manual_seed(0))
    board = ReconstructionScoreboard()
    board.update({"video": video}, video)
    content = board.compute()
    assert "ssim" not in content["rows"]["model"]
    assert "ssim is left out: its window of 11 px is larger than the frames" in content["remarks"]


def test_clips_without_any_object_are_named() -> None:
    board = ReconstructionScoreboard()
    video = torch.full((2, 3, 4, 16, 16), 0.5)
    board.update({"video": video}, video)
    content = board.compute()
    assert "no object stands out from the background in 2 of 2 clips" in content["remarks"]
    assert content["rows"]["model"]["surplus"]["value"] == 0
    assert "visible" not in content["rows"]["model"]


def clips_on_disk(folder: Path) -> Clips:
    generate(folder, {"train": 4, "val": 4, "test": 6, **dict.fromkeys(OOD, 0)}, frames=8, size=32)
    return Clips(folder, "test")


def score_tokens(clips: Clips, train_tokens: Tensor | None) -> dict[str, Any]:
    board = scoreboard_for(clips, 50, (4, 8, 8), train_tokens=train_tokens)
    batch = clips.batch(list(range(len(clips))))
    batch["video"] = to_float(batch["video"])
    board.update(batch, batch["video"], torch.arange(6 * 32).view(6, 2, 4, 4) % 50)
    return board.compute()


@pytest.mark.skipif(not is_available(), reason="PyAV with x264 is not installed")
def test_h264_stands_beside_the_model_with_its_own_bits(tmp_path: Path) -> None:
    content = score_tokens(clips_on_disk(tmp_path / "data"), torch.zeros(4, 2, 4, 4, dtype=torch.int64))
    assert list(content["rows"]) == ["target", "blank", "mean_frame", "median_frame", "copy_first", "h264", "model"]
    row = content["rows"]["h264"]
    assert row["bits"] > row["bits_beyond_still"] > 0
    assert row["mse"] > 0
    assert row["moving_psnr"]["value"] > content["rows"]["blank"]["moving_psnr"]["value"]
    assert content["remarks"][0].startswith("row h264: CRF ")
    assert content["rows"]["model"]["skill"] == 1  # H.264 is no trivial row


def test_without_pyav_and_without_train_the_scoreboard_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoreboard, "is_available", lambda: False)
    content = score_tokens(clips_on_disk(tmp_path / "data"), None)
    assert list(content["rows"]) == ["target", "blank", "mean_frame", "median_frame", "copy_first", "model"]
    assert "bits_ideal" not in content["rows"]["model"]
    assert content["remarks"] == [
        "row h264 is left out: it needs PyAV with x264; install it with `pip install 'trajvq[import]'`",
        "bits_ideal is left out: it needs the tokens of a split train",
    ]


def test_ideal_bits_are_at_most_the_nominal_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoreboard, "is_available", lambda: False)
    clips, model = clips_on_disk(tmp_path / "data"), {}
    alike = torch.arange(6 * 32).view(6, 2, 4, 4) % 50
    for name, train in {"alike": alike.repeat(50, 1, 1, 1), "other": torch.full((500, 2, 4, 4), 49)}.items():
        model[name] = score_tokens(clips, train)["rows"]["model"]
    assert model["alike"]["bits_ideal"] < 0.7 * model["alike"]["bits"]
    assert model["other"]["bits_ideal"] == model["other"]["bits"]


class Brightness(nn.Module):
    """The mean of a clip relative to its background, a figure that is not part of the package."""

    figure = register(Figure("test_brightness", "mean difference from the background"))

    def forward(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        assert video.shape == reconstruction.shape
        return (reconstruction - background).mean(dim=(1, 2, 3, 4))


def test_a_figure_of_the_users_own_has_a_mean_an_interval_and_a_value_per_clip(batch: Batch) -> None:
    board = ReconstructionScoreboard(figures=[Brightness()])
    numbered = batch | {"index": torch.arange(CLIPS).flip(0)}
    for part in (slice(0, 5), slice(5, None)):
        board.update({name: value[part] for name, value in numbered.items()}, batch["video"][part])
    content = board.compute()
    expected = (batch["video"] - background_of(batch)).mean(dim=(1, 2, 3, 4))
    interval = content["rows"]["model"]["test_brightness"]
    assert interval["value"] == pytest.approx(float(expected.mean()), abs=1e-6)
    assert interval["low"] < interval["value"] < interval["high"]
    assert content["rows"]["blank"]["test_brightness"]["value"] == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(content["per_clip"]["test_brightness"], expected.flip(0), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("module", "words"), [(nn.Identity(), "has no entry"), (Brightness(), "one value for each")])
def test_a_wrong_figure_is_refused_in_one_line(module: nn.Module, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Brightness, "forward", lambda self, reconstruction, video, background: video.mean())
    video = torch.rand(2, 3, 4, 16, 16)
    with pytest.raises(UserError, match=words):
        ReconstructionScoreboard(figures=[module]).update({"video": video}, video)
