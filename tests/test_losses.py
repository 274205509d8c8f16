"""The balanced loss weighs small objects, the plain one does not."""

import pytest
import torch

from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float
from trajvq.losses import BalancedLoss, PlainLoss
from trajvq.metrics.background import estimate_background


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    clips = make_clips(0, "train", 0, 8, 16, 64)["video"]
    return to_float(torch.from_numpy(clips))


def white(video: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(video[:, :, :1])


def test_a_perfect_reconstruction_costs_nothing(video: torch.Tensor) -> None:
    for loss in (BalancedLoss(), PlainLoss()):
        assert float(loss(video, video, white(video))) == 0


def test_a_blank_clip_costs_far_more_than_in_plain_mse(video: torch.Tensor) -> None:
    blank = torch.ones_like(video)
    assert float(BalancedLoss()(blank, video, blank)) > 10 * float(PlainLoss()(blank, video, blank))


def test_the_mask_holds_the_object_and_its_surroundings(video: torch.Tensor) -> None:
    clips = make_clips(0, "train", 0, 8, 16, 64)
    mask = BalancedLoss(dilate=2).mask(video, video, white(video))[:, 0]
    rows, columns = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    pixel, radius = torch.from_numpy(clips["pixel"][:, :, 0]), torch.from_numpy(clips["radius"][:, :, 0])
    distance = torch.hypot(columns - pixel[..., 0, None, None], rows - pixel[..., 1, None, None])
    assert mask[distance < radius[..., None, None] + 1].all()
    assert not mask[distance > radius[..., None, None] + 5].any()


def test_all_the_background_weighs_as_much_as_the_object(video: torch.Tensor) -> None:
    loss = BalancedLoss(object_weight=0.5, patch_weight=0.0)
    mask = loss.mask(video, video, white(video)).expand_as(video)
    off_object, off_background = video.clone(), video.clone()
    off_object[mask] += 0.1
    off_background[~mask] += 0.1
    assert float(loss(off_object, video, white(video))) == pytest.approx(
        float(loss(off_background, video, white(video))), rel=1e-3
    )


def test_a_wrong_color_costs_more_than_noise_of_the_same_size(video: torch.Tensor) -> None:
    mask = BalancedLoss().mask(video, video, white(video)).expand_as(video)
    noise = torch.randn(video.shape, generator=torch.Generator().manual_seed(0)).sign() * 0.1

    def cost(weight: float, error: torch.Tensor) -> float:
        return float(BalancedLoss(patch_weight=weight)(video + error * mask, video, white(video)))

    flat = torch.full_like(video, 0.1)
    assert cost(0.0, flat) == pytest.approx(cost(0.0, noise), rel=1e-3)
    assert cost(0.3, flat) > 1.5 * cost(0.3, noise)


def test_patches_are_sums_of_nine_pixels() -> None:
    error = torch.randn(2, 3, 4, 7, 9, generator=torch.Generator().manual_seed(0))
    ground = torch.zeros(2, 3, 1, 7, 9)
    loss, plain = (BalancedLoss(object_weight=0.0, reconstruction_threshold=1e9, patch_weight=w) for w in (1.0, 0.0))
    video = ground.expand_as(error)
    summed = torch.nn.functional.avg_pool2d(error.flatten(0, 2)[:, None], 3, stride=1, padding=1) * 3
    patches = float(loss(error, video, ground)) - float(plain(error, video, ground))
    assert patches == pytest.approx(float(summed.square().mean()), rel=1e-4)


def test_a_second_object_costs_about_as_much_as_a_missing_one(video: torch.Tensor) -> None:
    loss, ground = BalancedLoss(), white(video)
    ghost = video.minimum(video.roll(24, dims=-1))
    missing, second = float(loss(ground.expand_as(video), video, ground)), float(loss(ghost, video, ground))
    assert second > 0.3 * missing
    assert float(BalancedLoss(reconstruction_threshold=2.0)(ghost, video, ground)) < 0.05 * missing


def test_no_labels_are_needed_on_a_textured_video() -> None:
    generator = torch.Generator().manual_seed(0)
    video = torch.rand(1, 3, 1, 32, 32, generator=generator).repeat(1, 1, 16, 1, 1)
    for frame in range(16):
        video[:, :, frame, 10:14, frame : frame + 4] = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None]
    mask = BalancedLoss(dilate=0).mask(video, video, estimate_background(video))[0, 0]
    assert 12 <= mask.sum(dim=(1, 2)).float().mean() <= 16


def test_changed_light_and_noise_are_no_object(video: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    light = torch.linspace(0.95, 1.05, 16)[:, None, None]
    shot = 0.8 * video * light + 0.02 * torch.randn(video.shape, generator=generator)
    mask = BalancedLoss(dilate=0).mask(shot, shot, 0.8 * white(video))
    clear = BalancedLoss(dilate=0, threshold=0.3).mask(video, video, white(video))
    assert mask[clear].float().mean() > 0.95
    assert float(mask.float().mean()) < 3 * float(clear.float().mean())
