"""AutoregressiveTokens: what is sampled with a cache is learned without one; random orders are annealed away."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from tests.models.common import generators
from trajvq.models import AutoregressiveTokens
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import Conditions
from trajvq.models.transformer import TokenLayout

LAYOUT = TokenLayout(12, (4, 3), (3, 2, 2), 2)
PAIR = TokenLayout(3, (3,), (2, 1, 2), 2)  # two tokens in each of two latent frames
PAIRS = torch.tensor(list(itertools.product(range(3), repeat=2))).view(-1, 1, 1, 2)  # all latent frames of PAIR


def make(tracks: bool = False, neighbors: bool = False) -> AutoregressiveTokens:
    torch.manual_seed(0)
    network = AutoregressiveTokens(width=16, depth=2, heads=2, radius=0, background_width=8, neighbors=neighbors)
    network.build(LAYOUT, 2, tracks=tracks)
    return network.eval()


@pytest.mark.parametrize("tracks", [False, True])
@pytest.mark.parametrize("given", [0, 1])
@pytest.mark.parametrize("neighbors", [False, True])
def test_logits_with_the_cache_are_those_without(tracks: bool, given: int, neighbors: bool) -> None:
    network, label = make(tracks, neighbors), torch.tensor([0, 1, -1])
    conditions = Conditions(label, (torch.rand(1, 2, 6, 2) * 2 - 1).expand(3, -1, -1, -1) if tracks else None)
    prefix = torch.randint(12, (3, given, 2, 2))
    logits: list[Tensor] = []

    def keep(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        logits.append(output)

    handle = network.head.groups[0].register_forward_hook(keep)
    sampled = network.generate(prefix, 3, conditions, Sampling(), generators(3))
    cached = torch.stack(logits, dim=1)
    logits.clear()
    with torch.no_grad():
        network.log_likelihood(sampled, conditions)
    handle.remove()
    whole = logits[0]
    assert whole.shape[1] == 12 or tracks
    assert (cached.shape[1] < whole.shape[1]) == bool(given)  # the prefix is read in one pass
    assert torch.allclose(cached, whole[:, -cached.shape[1] :], atol=1e-5)


@pytest.mark.parametrize("context", [0, 1])
def test_random_orders_become_the_order_of_the_grid(context: int) -> None:
    torch.manual_seed(0)
    network = AutoregressiveTokens(width=16, depth=2, heads=2, random_orders_until=0.5, neighbors=True)
    network.build(PAIR, 0)
    frame, repeats = PAIRS.repeat(200, 1, 1, 1), 200
    clips = torch.cat([torch.ones_like(frame), frame], dim=1) if context else torch.cat([frame, frame], dim=1)

    def likelihoods(progress: float) -> Tensor:
        with torch.no_grad():
            part = network.log_likelihood(clips, Conditions(context=context, progress=progress))["object"]
        return ((part * 1e4).round() / 1e4).view(repeats, len(PAIRS))

    exact = likelihoods(0.5)[0]
    orders = 2 if context else 24
    for progress, share in ((0.0, 1 / orders), (0.25, 0.5 + 0.5 / orders), (0.5, 1.0)):
        estimates = likelihoods(progress)
        in_order = (estimates - exact).abs() < 2e-4
        assert abs(float(in_order.float().mean()) - share) < 0.06
    if context:  # both orders are exact: their probabilities sum to one
        estimates = likelihoods(0.0)
        other = torch.stack([column[(column - e).abs().argmax()] for column, e in zip(estimates.T, exact, strict=True)])
        assert exact.exp().sum() == pytest.approx(1, abs=1e-3)
        assert other.exp().sum() == pytest.approx(1, abs=1e-3)
        assert not torch.allclose(other, exact, atol=1e-2)
    network.eval()
    assert torch.equal(likelihoods(0.0)[0], exact)


def test_only_the_first_latent_frame_is_random_at_a_later_temperature_of_0() -> None:
    network, label = make(neighbors=True), torch.zeros(64, dtype=torch.int64)
    network.later_temperature = 0.0
    sampled = network.generate(
        torch.zeros(64, 0, 2, 2, dtype=torch.int64), 3, Conditions(label), Sampling(), generators(64)
    )
    first, later = sampled[:, 0].flatten(1), sampled[:, 1:].flatten(1)
    assert len(set(map(tuple, first.tolist()))) > 30
    prefix = sampled[:1, :1].expand(8, -1, -1, -1)  # the same first frame for all is followed by the same frames
    again = network.generate(prefix, 3, Conditions(label[:8]), Sampling(), generators(8))
    assert torch.equal(again[:, 1:].flatten(1), later[:1].expand(8, -1))
    network.later_temperature = 1.0
    varied = network.generate(prefix, 3, Conditions(label[:8]), Sampling(), generators(8))
    assert len(set(map(tuple, varied.flatten(1).tolist()))) > 4


def test_a_negative_later_temperature_is_refused_before_the_training() -> None:
    with pytest.raises(ValueError, match="give 0 or more"):
        AutoregressiveTokens(later_temperature=-0.5)
