"""Polynomial trajectories: smooth tracks, probabilities that sum to one, samples as frequent as these say."""

import math

import pytest
import torch
from torch import Tensor, nn

from tests.models.common import generators, guidance_gain
from trajvq.models.polynomial_trajectory import PolynomialTrajectory, gram_polynomials
from trajvq.models.sampling import Sampling
from trajvq.models.transformer import TokenLayout

LAYOUT = TokenLayout(10, (10,), (2, 2, 2), 4)  # 8 frames
NO_PREFIX = torch.zeros(1, 0, 2)


def make(coefficients: int = 4) -> PolynomialTrajectory:
    torch.manual_seed(0)
    network = PolynomialTrajectory(coefficients, width=16, layers=2, mixtures=4)
    network.build(LAYOUT, 3)
    return network.eval()


def last_layer(network: PolynomialTrajectory) -> nn.Linear:
    layer = network.head[1]
    assert isinstance(layer, nn.Linear)
    return layer


def circles(count: int, noise: float = 0.0) -> Tensor:
    """Return ``(count, 8, 2)``."""
    generator = torch.Generator().manual_seed(1)
    start, turn = torch.rand(2, count, 1, generator=generator) * 2 * math.pi
    angle = start + turn / 7 * torch.arange(8)
    tracks = torch.stack([angle.cos(), angle.sin()], dim=-1) / 2
    return tracks + noise * torch.randn(tracks.shape, generator=generator)


def sample(network: PolynomialTrajectory, label: Tensor, sampling: Sampling, prefix: Tensor | None = None) -> Tensor:
    start = torch.zeros(len(label), 0, 2) if prefix is None else prefix
    with torch.no_grad():
        return network.sample(start, 8, label, sampling, generators(len(label)))


def test_the_basis_is_orthonormal_and_holds_all_polynomials_of_its_degree() -> None:
    basis = gram_polynomials(8, 4)
    assert torch.allclose(basis.T @ basis, torch.eye(4), atol=1e-6)
    cubic = torch.linspace(-1, 1, 8)[:, None] ** torch.tensor([3.0, 0.0])
    assert torch.allclose(basis @ (basis.T @ cubic), cubic, atol=1e-6)


def test_snapping_takes_off_noise_and_keeps_the_path() -> None:
    network, true, noisy = make(6), circles(200), circles(200, noise=0.05)
    snapped = network.snap(noisy)
    assert float((network.snap(true) - true).square().mean().sqrt()) < 0.01
    assert float((snapped - true).square().mean()) < 0.8 * float((noisy - true).square().mean())
    assert torch.allclose(network.snap(snapped), snapped, atol=1e-5)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_probabilities_of_all_values_of_a_coefficient_sum_to_one(order: int) -> None:
    network = make()
    with torch.no_grad():  # wide enough for a coarse sum
        last_layer(network).bias.view(4, 6)[:, 3:5] = 0.0
        last_layer(network).weight.view(4, 6, 16)[:, 3:5] = 0.0
    base = network._coefficients(circles(1))
    axis = torch.linspace(-1, 1, 301) * 12 * float(network.size[order])
    offsets = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1).view(-1, 2)
    coefficients = base.repeat(len(offsets), 1, 1)
    coefficients[:, order] = offsets
    tracks = network._positions(coefficients)
    with torch.no_grad():
        density = network.log_probability(tracks, torch.ones(len(tracks), dtype=torch.int64))[:, order].double()
    square = float(network.grid.prod())
    total = float((density.exp() / square).sum() * (axis[1] - axis[0]) ** 2)
    assert abs(total - 1) < 0.01


def test_no_coefficient_changes_the_probability_of_coarser_ones() -> None:
    network, label = make(), torch.tensor([0, 3])
    coefficients = network._coefficients(circles(2))
    changed = coefficients.clone()
    changed[:, 2:] += 0.1
    with torch.no_grad():
        first, second = (network.log_probability(network._positions(c), label) for c in (coefficients, changed))
    assert torch.allclose(first[:, :2], second[:, :2], atol=1e-4)
    assert not torch.allclose(first[:, 2:], second[:, 2:], atol=1e-3)


def test_samples_are_as_frequent_as_their_probability_says() -> None:
    """For a model q of its own samples, the mean of p(x) / q(x) over them is 1 for every other density p."""
    network, other = make(), make()
    with torch.no_grad():
        last_layer(other).bias.view(4, 6)[:, 1:3] += 0.2
    label = torch.zeros(8000, dtype=torch.int64)
    tracks = sample(network, label, Sampling())
    assert torch.allclose(network.snap(tracks), tracks, atol=1e-5)
    with torch.no_grad():
        ratio = (other.log_probability(tracks, label) - network.log_probability(tracks, label)).sum(dim=1).exp()
    assert abs(float(ratio.mean()) - 1) < 4 * float(ratio.std()) / 8000**0.5 + 0.01


def test_later_coefficients_of_tracks_that_are_turned_or_mirrored_are_as_likely() -> None:
    network = make()
    with torch.no_grad():
        network.embed.weight[:, -2:] = 0  # does not see the direction itself
        network.embed.weight[:, [0, 1, 8, 9]] = 0  # nor where the track is
    label, tracks = torch.zeros(5, dtype=torch.int64), circles(5)
    quarter, mirrored = torch.stack([-tracks[..., 1], tracks[..., 0]], dim=-1), tracks * torch.tensor([1.0, -1.0])
    with torch.no_grad():
        first, second, third = (network.log_probability(each, label) for each in (tracks, quarter, mirrored))
    assert torch.allclose(first[:, 2:], second[:, 2:], atol=2e-2)
    assert torch.allclose(first[:, 3:], third[:, 3:], atol=2e-2)
    assert not torch.allclose(first[:, :2], second[:, :2], atol=2e-2)


def test_a_prefix_stays_and_what_follows_depends_on_it() -> None:
    network, label = make(), torch.zeros(20, dtype=torch.int64)
    prefix = circles(20)[:, :3]
    tracks = sample(network, label, Sampling(), prefix)
    assert torch.equal(tracks[:, :3], prefix)
    assert not torch.equal(tracks[:, 3:], sample(network, label, Sampling(), -prefix)[:, 3:])


def test_the_loss_does_not_see_what_it_is_given() -> None:
    """The likelihood after a context is that of the coefficients, given the positions of the context alone."""
    network, tracks = make(8), circles(3)
    context, label = torch.tensor([2, 4, 7]), torch.zeros(3, dtype=torch.int64)
    gaps = tracks.clone()
    gaps[:, 1] = torch.nan
    with torch.no_grad():
        whole = network.loss(tracks, context, label)
        assert not torch.isclose(whole, network.loss(tracks, torch.ones_like(context), label))
        assert bool(network.loss(gaps, context, label).isfinite())


def test_continuing_is_trained_beside_sampling() -> None:
    network, label = make().train(), torch.zeros(64, dtype=torch.int64)
    tracks = circles(64)
    torch.manual_seed(0)
    some = (network.log_probability(tracks, label) != network.eval().log_probability(tracks, label)).any(dim=1)
    assert 0 < int(some.sum()) < 32


def test_guidance_makes_tracks_likelier_for_their_class() -> None:
    assert guidance_gain(make(), 8) > 0.5


def test_it_takes_as_many_coefficients_as_the_tracks_need() -> None:
    """A line needs two, a circle more; noise that the tracker adds does not count."""
    line = torch.linspace(-1, 1, 8)[:, None] * torch.tensor([0.5, 0.2]) + torch.rand(100, 1, 2) / 4
    for tracks, least, most in ((line, 2, 2), (circles(100), 4, 7), (torch.rand(100, 8, 2), 8, 8)):
        tracks = tracks + 0.001 * torch.randn(tracks.shape, generator=torch.Generator().manual_seed(0))
        gaps = tracks.clone()
        gaps[3, 2:4] = torch.nan
        network = PolynomialTrajectory(width=16, layers=2, mixtures=4)
        assert "coefficients" in network.adapt(gaps, symmetric=True)
        network.build(LAYOUT, 3)
        assert least <= network.count <= most
        rms = network._coefficients(tracks).square().mean(dim=(0, 2)).sqrt()
        assert torch.allclose(network.size[:, 0], rms, rtol=0.1, atol=0.01)
        assert network.track_noise == (0 if most == 8 else pytest.approx(0.001, rel=0.2))
        assert float((network.snap(tracks) - tracks).norm(dim=-1).square().mean().sqrt()) < 1 / 250


def test_sampled_tracks_are_free_of_the_noise_of_tracks() -> None:
    network, label = make(), torch.zeros(2000, dtype=torch.int64)
    with torch.no_grad():  # one Gaussian of known width for each coefficient
        last_layer(network).weight.zero_()
        last_layer(network).bias.zero_()
    widths = []
    for noise in (0.0, 0.6):
        network.track_noise = noise * float(network.size[3])
        tracks = sample(network, label, Sampling())
        widths.append(network._coefficients(tracks).std(dim=0) / network.size)
    assert torch.allclose(widths[0], torch.ones(4, 2), rtol=0.1)
    relative = network.size[3] / network.size  # of the noise to the widths
    assert torch.allclose(widths[1], (1 - (0.6 * relative).square()).sqrt().expand(4, 2), rtol=0.1)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PolynomialTrajectory(coefficients=0)
