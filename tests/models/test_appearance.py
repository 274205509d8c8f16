"""The appearance model: probabilities that sum to one, and appearances sampled as often as they say."""

import torch
from torch import Tensor

from tests.models.common import generators
from trajvq.models.appearance import BINS, AppearanceModel
from trajvq.models.sampling import Sampling


def make(numbers: int) -> AppearanceModel:
    torch.manual_seed(0)
    network = AppearanceModel(16)
    network.build(2, numbers)
    with torch.no_grad():
        network.head.weight.mul_(4)
        network.value.mul_(10)
    return network.eval()


def all_pairs() -> Tensor:
    axis = (torch.arange(BINS) + 0.5) * 2 / BINS - 1
    return torch.cartesian_prod(axis, axis)


def squares(appearance: Tensor) -> Tensor:
    """Return in which of 8 x 8 squares pairs of numbers lie."""
    square = ((appearance + 1) * 4).long().clamp(0, 7)
    return square[:, 0] * 8 + square[:, 1]


def test_the_probabilities_of_all_appearances_sum_to_one() -> None:
    network, pairs = make(2), all_pairs()
    assert torch.equal(network.snap(pairs), pairs)
    with torch.no_grad():
        for label in (0, 2):
            log_probability = network.log_probability(pairs, torch.full((len(pairs),), label))
            assert abs(float(log_probability.exp().sum()) - 1) < 1e-4


def test_appearances_are_sampled_as_often_as_their_probability_says() -> None:
    network, pairs, count = make(2), all_pairs(), 20000
    with torch.no_grad():
        samples = network.sample(torch.ones(count, dtype=torch.int64), Sampling(), generators(count))
        own, other = (network.log_probability(pairs, torch.full((len(pairs),), label)).exp() for label in (1, 0))
    counts, distances = torch.bincount(squares(samples), minlength=64), []
    for probability in (own, other):
        expected = count * torch.zeros(64).index_add(0, squares(pairs), probability)
        distances.append(float(((counts - expected) ** 2 / expected).sum()))
    assert distances[0] < 63 + 5 * 126**0.5  # Pearson's chi-square, within five standard deviations
    assert distances[1] > 63 + 20 * 126**0.5  # another class's


def test_values_beyond_the_range_count_as_its_end() -> None:
    network, label = make(3), torch.zeros(1, dtype=torch.int64)
    with torch.no_grad():
        first, second = (network.log_probability(torch.full((1, 3), value), label) for value in (1.0, 2.0))
    assert torch.equal(first, second)


def test_the_likeliest_appearance_is_the_same_for_every_generator() -> None:
    network, label = make(3), torch.zeros(1, dtype=torch.int64)
    first, second = (network.sample(label, Sampling(noise_scale=0), generators(1, seed)) for seed in (0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(network.sample(label, Sampling(), generators(1, 5)), first)
