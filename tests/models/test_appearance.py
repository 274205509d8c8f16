"""The palette: probabilities that sum to one, and looks drawn as often as they say."""

import torch

from trajvq.models.appearance import BINS, AppearanceModel


def palette(numbers: int) -> AppearanceModel:
    torch.manual_seed(0)
    made = AppearanceModel(2, numbers, 16)
    with torch.no_grad():
        made.head.weight.mul_(4)
        made.told.mul_(10)
    return made.eval()


def test_the_probabilities_of_all_looks_sum_to_one() -> None:
    made = palette(2)
    axis = (torch.arange(BINS) + 0.5) * 2 / BINS - 1
    looks = torch.cartesian_prod(axis, axis)
    assert torch.equal(made.rounded(looks), looks)
    with torch.no_grad():
        for label in (0, 2):
            found = made.log_probability(looks, torch.full((len(looks),), label))
            assert abs(float(found.exp().sum()) - 1) < 1e-4


def test_looks_are_drawn_as_often_as_their_probability_says() -> None:
    made = palette(2)
    axis = (torch.arange(BINS) + 0.5) * 2 / BINS - 1
    looks = torch.cartesian_prod(axis, axis)
    chance = torch.rand(20000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        drawn = made.draw(torch.ones(20000, dtype=torch.int64), chance)
        shares = [made.log_probability(looks, torch.full((len(looks),), label)).exp() for label in (1, 0)]
    counts = torch.bincount(_coarse(drawn), minlength=64)
    off = []
    for share in shares:
        expected = 20000 * torch.zeros(64).index_add(0, _coarse(looks), share)
        off.append(float(((counts - expected) ** 2 / expected).sum()))
    assert off[0] < 63 + 5 * 126**0.5  # Pearson's chi-square, within five standard deviations
    assert off[1] > 63 + 20 * 126**0.5  # another class's


def _coarse(looks: torch.Tensor) -> torch.Tensor:
    """Return in which of 8 x 8 squares looks of two numbers are."""
    square = ((looks + 1) * 4).long().clamp(0, 7)
    return square[:, 0] * 8 + square[:, 1]


def test_a_number_says_nothing_of_those_before_it() -> None:
    made = palette(3)
    look, label = torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64)
    chance = torch.tensor([[0.3, 0.5, 0.7]], dtype=torch.float64)
    other = torch.tensor([[0.3, 0.5, 0.1]], dtype=torch.float64)
    with torch.no_grad():
        first, second = made.draw(label, chance), made.draw(label, other)
        beyond = [made.log_probability(look + far, label) for far in (1, 2)]
    assert torch.equal(first[:, :2], second[:, :2])
    assert not torch.equal(first, second)
    assert torch.equal(*beyond)  # what lies beyond counts as the end
