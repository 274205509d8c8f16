"""The forecaster is the sampler's generator, knows no class, and tells frames without those that come later."""

import pytest
import torch

from trajvq.models import Forecaster, TokenLayout
from trajvq.models.generator import Generator
from trajvq.models.sampling import Sampling

LAYOUT = TokenLayout(1000, (8, 5, 5, 5), (3, 4, 4), 4)


def made(**settings: bool) -> Forecaster:
    torch.manual_seed(0)
    network = Forecaster(
        width=16, depth=1, background_width=8, background_depth=1, predictor_width=16, trajectory_width=16, **settings
    )
    network.build(LAYOUT, 7)
    return network


def generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(k) for k in range(count)]


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("parallel", [True, False])
def test_every_mode_learns_and_goes_on(ahead: bool, parallel: bool) -> None:
    network = made(ahead=ahead, parallel=parallel)
    assert isinstance(network, Generator)
    assert network.classes == 0
    tokens, path = torch.randint(1000, (5, 3, 4, 4)), 0.3 * torch.randn(5, 12, 2)
    path[0, 3] = torch.nan
    loss = network.token_loss(tokens, path) + network.path_loss(path, torch.tensor([4, 4, 8, 8, 4]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert not [name for name, weight in network.named_parameters() if weight.requires_grad and weight.grad is None]
    network.eval()
    for how in (Sampling(temperature=0, noise_scale=0), Sampling()):
        found = network.rollout(generators(5), prefix=tokens[:, :1], path=path[:, :4].nan_to_num(), frames=5, how=how)
        assert found.tokens.shape == (5, 5, 4, 4)
        assert torch.equal(found.tokens[:, :1], tokens[:, :1])
        assert found.path is not None
        assert found.path.shape == (5, 20, 2)
        again = network.rollout(generators(5)[2:3], prefix=tokens[2:3, :1], path=path[2:3, :4], frames=5, how=how)
        assert torch.equal(again.tokens, found.tokens[2:3])


def test_told_at_once_a_latent_frame_rests_on_those_before() -> None:
    network = made(parallel=True)
    path = torch.zeros(2, 12, 2)
    tokens = torch.randint(1000, (2, 3, 4, 4))
    with torch.no_grad():
        for block in network.blocks:
            torch.nn.init.normal_(block.narrow.weight, std=0.5)  # type: ignore[union-attr, arg-type]
        cells, _ = network._cells(path, None, 2)
        other = tokens.clone()
        other[:, 1] = 7
        told = [
            network.rest(network._ground(torch.where(torch.arange(3)[:, None, None] < 2, t, -1).flatten(1), cells))
            for t in (tokens, other)
        ]
    frames = [logits.unflatten(1, (3, 16)) for logits in told]
    assert torch.equal(frames[0][:, 0], frames[1][:, 0])
    assert not torch.equal(frames[0][:, 2], frames[1][:, 2])
