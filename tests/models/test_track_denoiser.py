"""TrackDenoiser: it takes off what no track has and leaves what tracks differ in."""

import pytest
import torch
from torch import Tensor

from tests.models.common import generators
from trajvq.models import AutoregressiveTrajectory, Generator, ParallelTokens, Sampling, TokenLayout, TrackDenoiser
from trajvq.models.token_model import Conditions

LAYOUT = TokenLayout(10, (10,), (4, 2, 2), 2)
TIME = torch.linspace(-1, 1, 8)


def lines(count: int) -> Tensor:
    """Return straight tracks ``(count, 8, 2)``."""
    start, velocity = torch.rand(2, count, 1, 2) - 0.5
    tracks: Tensor = start + TIME[:, None] * velocity
    return tracks


def bend(tracks: Tensor) -> Tensor:
    """Return how far tracks are from straight lines, root mean square in half pictures ``(B,)``."""
    basis = torch.linalg.qr(torch.stack([torch.ones(8), TIME], dim=1)).Q
    straight = torch.einsum("tf,sf,bsc->btc", basis, basis, tracks)
    return (tracks - straight).square().mean(dim=(1, 2)).sqrt()


@pytest.fixture(scope="module")
def denoiser() -> TrackDenoiser:
    torch.manual_seed(0)
    network = TrackDenoiser(width=64, layers=2)
    network.build(LAYOUT, 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        optimizer.zero_grad()
        network.loss(lines(64), torch.zeros(64, dtype=torch.int64)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network.eval()


def test_noise_is_taken_off_and_the_line_stays(denoiser: TrackDenoiser) -> None:
    torch.manual_seed(1)
    truth, label = lines(200), torch.zeros(200, dtype=torch.int64)
    noisy = truth + 0.01 * torch.randn_like(truth)
    with torch.no_grad():
        denoised = denoiser.denoise(noisy, label)
    assert bend(denoised).median() < bend(noisy).median() / 2
    assert (denoised - truth).square().mean() < (noisy - truth).square().mean() / 2
    assert (denoised - noisy).square().mean().sqrt() < 0.02  # no other line than the one sampled


def test_tracks_stay_as_they_are_at_first() -> None:
    network = TrackDenoiser(width=16)
    network.build(LAYOUT, 2)
    tracks = lines(3)
    assert torch.equal(network.denoise(tracks, torch.tensor([0, 1, 2])), tracks)


def test_a_generator_denoises_what_it_samples_and_no_context(denoiser: TrackDenoiser) -> None:
    torch.manual_seed(0)
    trajectory = AutoregressiveTrajectory(width=16, depth=1, mixtures=2)
    tracks = {}
    for name, part in (("noisy", None), ("denoised", denoiser)):
        network = Generator(ParallelTokens(width=16, background_width=16), trajectory, denoiser=part)
        torch.manual_seed(0)
        network.tokens.build(LAYOUT, 1, tracks=True)  # type: ignore[operator]
        network.layout, network.classes, network.number = LAYOUT, 1, None
        trajectory.build(LAYOUT, 1)
        prefix, conditions = torch.zeros(20, 0, 2, 2, dtype=torch.int64), Conditions(torch.zeros(20, dtype=torch.int64))
        sampled = network.eval().generate(prefix, 4, conditions, Sampling(denoise=True), generators(20)).tracks
        own = network.generate(prefix, 4, conditions, Sampling(), generators(20)).tracks
        short = network.generate(prefix, 2, conditions, Sampling(denoise=True), generators(20)).tracks
        assert sampled is not None
        assert short is not None
        assert own is not None
        assert torch.equal(short, sampled[:, :, :4])
        tracks[name], tracks[f"own {name}"] = sampled[:, 0], own[:, 0]
        context = torch.rand(20, 1, 4, 2)
        start = Conditions(conditions.label, context)
        again = network.generate(
            prefix.new_zeros(20, 2, 2, 2), 4, start, Sampling(noise_scale=0, denoise=True), generators(20)
        )
        assert again.tracks is not None
        tracks[f"continued {name}"] = again.tracks[:, 0]
    assert bend(tracks["denoised"]).median() < bend(tracks["noisy"]).median()
    assert not torch.equal(tracks["denoised"], tracks["noisy"])
    assert torch.equal(tracks["own denoised"], tracks["noisy"])
    assert torch.equal(tracks["continued denoised"], tracks["continued noisy"])


def test_without_a_trajectory_there_is_nothing_to_denoise() -> None:
    assert Generator(ParallelTokens(), denoiser=TrackDenoiser()).denoiser is None
