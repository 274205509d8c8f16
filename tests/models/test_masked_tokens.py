"""MaskedTokens: its likelihood is the bound that it says it is, and few passes or many sample what it learned."""

import itertools
from math import log

import pytest
import torch
from torch import Tensor

from tests.models.common import chi_square_fits, generators
from trajvq.models import MaskedTokens
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import Conditions
from trajvq.models.transformer import TokenLayout

PAIR = TokenLayout(3, (3,), (2, 1, 1), 2)  # two tokens, one after the other in time
PAIRS = torch.tensor(list(itertools.product(range(3), repeat=2))).view(-1, 2, 1, 1)  # all clips of PAIR
FILM = TokenLayout(12, (4, 3), (3, 2, 2), 2)
RANDOM_ORDER = 1e9  # choice temperature


def make(layout: TokenLayout, **settings: object) -> MaskedTokens:
    torch.manual_seed(0)
    network = MaskedTokens(width=16, depth=2, heads=2, **settings)  # type: ignore[arg-type]
    network.build(layout, 2)
    with torch.no_grad():
        for weight in network.head.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network.eval()


def conditional(network: MaskedTokens) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-probabilities of each of PAIRS, ``(9,)``: of both tokens alone, the second and the first of a pair."""
    with torch.no_grad():
        second = network.log_likelihood(PAIRS, Conditions(context=1))["tokens"]
        repeated = network.train().log_likelihood(PAIRS.repeat(200, 1, 1, 1), Conditions())["tokens"]
        network.eval()
    alone, first = [], []
    for estimates, log_probability in zip(repeated.view(200, 9).T, second, strict=True):
        values, counts = ((estimates * 1e4).round() / 1e4).unique(return_counts=True)
        assert len(values) == 3  # one mask hides both tokens, the others hide one
        both = values[counts.argmax()]  # it comes up as often as the two others together
        hides_second = (values - 2 * log_probability).abs().argmin()
        alone.append(both)
        first.append((values.sum() - both - values[hides_second]) / 2)
    return torch.stack(alone), second, torch.stack(first)


def test_training_estimates_the_mean_over_all_orders_of_exact_conditionals() -> None:
    network = make(PAIR)
    alone, second, first = (part.view(3, 3) for part in conditional(network))
    assert torch.allclose(second.exp().sum(dim=1), torch.ones(3), atol=1e-3)
    assert torch.allclose(first.exp().sum(dim=0), torch.ones(3), atol=1e-3)
    assert torch.allclose(alone.exp().sum(), torch.ones(()), atol=1e-3)
    bound = (alone + first + second) / 2
    with torch.no_grad():
        estimate = network.train().log_likelihood(PAIRS.repeat(4000, 1, 1, 1), Conditions())["tokens"]
    estimate = estimate.view(4000, 9).T
    error = (estimate.mean(dim=1) - bound.flatten()).abs()
    assert bool((error < 5 * estimate.std(dim=1) / 4000**0.5).all())
    assert 0.3 < float(bound.exp().sum()) < 1


def test_pairs_are_sampled_as_often_as_both_orders_say() -> None:
    network = make(PAIR, choice_temperature=RANDOM_ORDER)
    alone, second, first = (part.view(3, 3).exp() for part in conditional(network))
    expected = (alone.sum(dim=1, keepdim=True) * second + alone.sum(dim=0) * first) / 2
    prefix = torch.zeros(4000, 0, 1, 1, dtype=torch.int64)
    sampled = network.generate(prefix, 2, Conditions(), Sampling(), generators(4000)).flatten(1)
    assert chi_square_fits(sampled @ torch.tensor([3, 1]), (expected / expected.sum()).flatten())
    assert not chi_square_fits(sampled @ torch.tensor([1, 3]), (expected / expected.sum()).flatten())


def test_evaluation_is_deterministic_and_its_masks_are_the_same_for_every_clip() -> None:
    network, clips = make(FILM), torch.randint(12, (5, 3, 2, 2))
    with torch.no_grad():
        first, second, alone = (network.log_likelihood(c, Conditions())["tokens"] for c in (clips, clips, clips[3:4]))
    assert torch.equal(first, second)
    assert torch.allclose(first[3:4], alone, atol=1e-4)


@pytest.mark.parametrize("by_frame", [False, True])
def test_a_prefix_stays_and_its_frames_are_never_hidden(by_frame: bool) -> None:
    network, clips = make(FILM, by_frame=by_frame), torch.randint(12, (5, 3, 2, 2))
    other = clips.clone()
    other[:, :2] = (clips[:, :2] + 1) % 12
    sampled = network.generate(clips[:, :2], 3, Conditions(), Sampling(), generators(5))
    assert torch.equal(sampled[:, :2], clips[:, :2])
    assert int(sampled.min()) >= 0
    with torch.no_grad():
        same, unlike = (network.log_likelihood(c, Conditions(context=2))["tokens"] for c in (clips, other))
    assert not torch.allclose(same, unlike, atol=1e-3)


def test_it_learns_what_tokens_have_in_common_and_cannot_see_what_it_predicts() -> None:
    """Clips of a single code: twelve tokens are worth one of twelve codes. A bound above that would be a leak."""
    network = make(FILM, passes=12)
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(120):
        clips = torch.randint(12, (32, 1, 1, 1)).expand(-1, 3, 2, 2)
        loss = -network.log_likelihood(clips, Conditions())["tokens"].mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    network.eval()
    codes = torch.arange(12).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
    with torch.no_grad():
        bound = float(network.log_likelihood(codes, Conditions())["tokens"].mean())
    fair = -log(12)
    assert fair * 12 / 4 < bound < 0  # far better than independent tokens
    prefix = torch.zeros(60, 0, 2, 2, dtype=torch.int64)
    alike = {}
    for passes in (1, 12):
        network.passes = passes
        sampled = network.generate(prefix, 3, Conditions(), Sampling(), generators(60)).flatten(1)
        alike[passes] = float((sampled == sampled[:, :1]).all(dim=1).float().mean())
    assert alike[1] < 0.1
    assert alike[12] > 0.8


def test_settings_without_a_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="passes is 0 and likelihood_passes 8; both are at least 1"):
        MaskedTokens(passes=0)
