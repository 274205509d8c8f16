"""Autoregressive trajectories: probabilities that sum to one, no look into the future, guidance toward the class."""

import torch
from torch import Tensor

from tests.models.common import generators, guidance_gain
from trajvq.models.autoregressive_trajectory import AutoregressiveTrajectory
from trajvq.models.sampling import Sampling
from trajvq.models.transformer import TokenLayout

LAYOUT = TokenLayout(10, (10,), (2, 2, 2), 2)


def make() -> AutoregressiveTrajectory:
    torch.manual_seed(0)
    network = AutoregressiveTrajectory(width=16, depth=2, heads=2, mixtures=4)
    network.build(LAYOUT, 3)
    with torch.no_grad():
        network.log_width.fill_(-2.0)
    return network.eval()


def grid_points(network: AutoregressiveTrajectory) -> Tensor:
    """Return all positions on the grid, far beyond the picture, ``(N, 1, 2)``."""
    axis = torch.arange(-192, 192) * float(network.grid[0])
    return torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1).view(-1, 1, 2)


def last_probabilities(network: AutoregressiveTrajectory, prefix: Tensor, label: int) -> Tensor:
    """Return the natural log-probability of every grid position after a prefix ``(S, 2)``."""
    points = grid_points(network)
    tracks = torch.cat([prefix.expand(len(points), -1, -1), points], dim=1)
    with torch.no_grad():
        parts = [network.log_probability(t, torch.full((len(t),), label))[:, -1] for t in torch.split(tracks, 30000)]
    return torch.cat(parts).double()


def test_probabilities_of_all_next_positions_sum_to_one() -> None:
    prefix = torch.tensor([[0.1, -0.2], [0.15, -0.1]])
    assert abs(float(last_probabilities(make(), prefix, 1).exp().sum()) - 1) < 1e-3


def test_no_position_changes_the_probability_of_earlier_ones() -> None:
    network, tracks, label = make(), torch.rand(2, 4, 2), torch.tensor([0, 3])
    changed = tracks.clone()
    changed[:, 2:] = torch.rand(2, 2, 2)
    with torch.no_grad():
        first, second = network.log_probability(tracks, label), network.log_probability(changed, label)
    assert torch.allclose(first[:, :2], second[:, :2], atol=1e-5)
    assert not torch.allclose(first[:, 2:], second[:, 2:], atol=1e-3)


def test_sampled_positions_are_as_frequent_as_their_probability_says() -> None:
    network, label = make(), torch.zeros(4000, dtype=torch.int64)
    with torch.no_grad():
        tracks = network.sample(torch.zeros(4000, 1, 2), 2, label, Sampling(), generators(4000))
        surprise = -network.log_probability(tracks, label)[:, 1]
    log_probability = last_probabilities(network, torch.zeros(1, 2), 0)
    entropy = float(-(log_probability.exp() * log_probability).sum())
    assert abs(float(surprise.mean()) - entropy) < 4 * float(surprise.std()) / 4000**0.5
    assert torch.equal(tracks, network.snap(tracks))


def test_guidance_makes_tracks_likelier_for_their_class() -> None:
    assert guidance_gain(make(), 4) > 0.5
