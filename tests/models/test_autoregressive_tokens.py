"""AutoregressiveTokens: what is sampled with a cache is what is learned without one; dropout acts in training alone."""

import pytest
import torch
from torch import Tensor, nn

from tests.models.common import generators
from trajvq.models import AutoregressiveTokens
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import Conditions
from trajvq.models.transformer import TokenLayout

LAYOUT = TokenLayout(12, (4, 3), (3, 2, 2), 2)


def make(tracks: bool = False, dropout: float = 0.0) -> AutoregressiveTokens:
    torch.manual_seed(0)
    network = AutoregressiveTokens(width=16, depth=2, heads=2, dropout=dropout, radius=0, background_width=8)
    network.build(LAYOUT, 2, tracks=tracks)
    return network.eval()


@pytest.mark.parametrize("tracks", [False, True])
@pytest.mark.parametrize("given", [0, 1])
def test_logits_with_the_cache_are_those_without(tracks: bool, given: int) -> None:
    network, label = make(tracks), torch.tensor([0, 1, -1])
    conditions = Conditions(label, (torch.rand(1, 6, 2) * 2 - 1).expand(3, -1, -1) if tracks else None)
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
    assert cached.shape == logits[0].shape
    assert cached.shape[1] == 12 or tracks
    assert torch.allclose(cached, logits[0], atol=1e-5)


def test_dropout_acts_in_training_alone() -> None:
    network, tokens = make(dropout=0.5), torch.randint(12, (3, 3, 2, 2))
    with torch.no_grad():
        first, second = (network.log_likelihood(tokens, Conditions())["object"] for _ in range(2))
        network.train()
        third, fourth = (network.log_likelihood(tokens, Conditions())["object"] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(third, fourth)
