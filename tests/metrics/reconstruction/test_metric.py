"""Figures say what they mean, and cheats score badly."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.scoreboard import ReconstructionScoreboard

Batch = dict[str, Tensor]


@pytest.fixture(scope="module")
def batch() -> Batch:
    clips = make_clips(6, "test", 0, 24, 16, 64)
    found = {name: torch.from_numpy(v) for name, v in clips.items() if v.dtype.kind != "S"}
    return found | {"video": found["video"].transpose(1, 2).float() / 255}


def scored(batch: Batch, made: Tensor) -> dict[str, float]:
    board = ReconstructionScoreboard()
    for part in (slice(0, 10), slice(10, None)):  # uneven batches
        board.update({name: value[part] for name, value in batch.items()}, made[part])
    row: dict[str, float] = board.compute()["rows"]["model"]
    return row


def test_truth_is_perfect(batch: Batch) -> None:
    row = scored(batch, batch["video"])
    assert row["skill"] == 1
    assert row["mse"] == 0
    assert row["visible"] == 1
    assert row["centroid_error"] <= 0.03
    assert row["radius_error"] <= 0.05
    assert row["color_error"] <= 2


def test_blank_clips_are_charged_for_every_frame(batch: Batch) -> None:
    row = scored(batch, torch.ones_like(batch["video"]))
    assert row["skill"] <= 0
    assert row["psnr"] > 25
    assert row["visible"] == 0
    assert row["centroid_error"] == 32
    assert row["object_psnr"] < 12


def test_a_constant_shift_is_measured(batch: Batch) -> None:
    moved = (batch["video"] + batch["video"].roll(1, dims=-1)) / 2  # half a pixel to the right
    assert scored(batch, moved)["centroid_error"] == pytest.approx(0.5, abs=0.03)


def test_an_object_that_vanishes_half_way_is_seen_half_of_the_time(batch: Batch) -> None:
    made = batch["video"].clone()
    made[:, :, 8:] = 1
    row = scored(batch, made)
    assert row["visible"] == 0.5
    assert row["centroid_error"] == pytest.approx(16, abs=0.1)


def test_a_frozen_object_is_lost(batch: Batch) -> None:
    row = scored(batch, batch["video"][:, :, :1].expand_as(batch["video"]))
    assert row["skill"] < 0
    assert row["visible"] < 0.7
    assert row["centroid_error"] > 5


def test_a_second_object_is_not_the_object(batch: Batch) -> None:
    made = torch.minimum(batch["video"], batch["video"].flip(-1))
    assert scored(batch, made)["visible"] < 0.2


def test_a_grey_cast_is_no_object(batch: Batch) -> None:
    assert scored(batch, torch.full_like(batch["video"], 0.9))["visible"] == 0


def test_occluded_frames_are_neither_charged_nor_credited(batch: Batch) -> None:
    occluded = torch.zeros(24, 16, dtype=torch.bool)
    occluded[:, 8:] = True
    made = batch["video"].clone()
    made[:, :, 8:] = 1
    row = scored(batch | {"occluded": occluded}, made)
    assert row["visible"] == 1
    assert row["centroid_error"] <= 0.03


def test_the_mean_clip_is_the_zero_of_skill(batch: Batch) -> None:
    made = batch["video"].mean(dim=2, keepdim=True).expand_as(batch["video"])
    assert scored(batch, made)["skill"] == pytest.approx(0, abs=1e-9)


def test_psnr_is_torchmetrics_own(batch: Batch) -> None:
    made = torch.from_numpy(to_uint8((batch["video"] + 0.05 * torch.randn_like(batch["video"])).clamp(0, 1)))
    made = made.transpose(1, 2).float() / 255
    row = scored(batch, made)
    assert row["psnr"] == pytest.approx(float(peak_signal_noise_ratio(made, batch["video"], data_range=1.0)), abs=1e-3)
    assert row["mse"] == pytest.approx(float((made - batch["video"]).square().mean()), rel=1e-5)


def test_without_ground_truth_the_tracked_target_is_the_truth(batch: Batch) -> None:
    board = ReconstructionScoreboard()
    board.update({"video": batch["video"]}, batch["video"])
    found = board.compute()
    assert found["truth"] == "tracked"
    assert found["clips"] == 24
    assert found["rows"]["model"]["visible"] == 1
    assert found["rows"]["model"]["centroid_error"] == 0
    assert found["rows"]["blank"]["visible"] == 0


@pytest.mark.parametrize("speed", [0.0, 0.3])
def test_the_background_estimate_holds_no_slow_object(speed: float) -> None:
    video = torch.full((1, 3, 16, 32, 32), 0.8)
    for frame in range(16):
        x = int(5 + speed * frame)
        video[:, :, frame, 10:15, x : x + 5] = 0.1
    assert torch.equal(estimate_background(video), torch.full((1, 3, 1, 32, 32), 0.8))


def test_a_textured_background_is_found_behind_a_moving_object() -> None:
    texture = torch.rand(1, 3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    video = texture.repeat(1, 1, 16, 1, 1)
    for frame in range(16):
        video[:, :, frame, 10:13, 1 + frame : 4 + frame] = 0.0
    assert torch.equal(estimate_background(video), texture)
    assert np.isfinite(to_uint8(video)).all()


def test_frames_without_a_truth_leave_no_nan(batch: Batch) -> None:
    video = batch["video"].clone()
    video[:, :, 5] = 1  # nothing to be seen, so nothing to track
    board = ReconstructionScoreboard()
    board.update({"video": video}, video)
    found = board.compute()
    assert found["truth"] == "tracked"
    for figure in ("visible", "centroid_error"):
        interval = found["intervals"]["model"][figure]
        assert interval["value"] == pytest.approx(found["rows"]["model"][figure], abs=1e-9)
        assert np.isfinite(list(interval.values())).all()
