"""Muon updates matrices along orthogonal directions, other weights like AdamW, and resumes exactly."""

import copy

import pytest
import torch
from torch import nn

from trajvq.optim.muon import Muon, orthogonalize


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(32, 5))


def learn(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    x = torch.randn(16, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - x.mean(dim=(1, 2, 3))[:, None]).square().mean().backward()
        optimizer.step()


def muon(model: nn.Module, rate: float = 1e-2, matrix_rate: float = 2e-2) -> Muon:
    return Muon(model.parameters(), rate, matrix_rate, betas=(0.9, 0.99), weight_decay=0.01)


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (8, 8), (1, 5)])
def test_singular_values_become_about_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalize(matrix[None]))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_directions_are_kept() -> None:
    matrix = torch.randn(16, 40, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    orthogonal = orthogonalize(torch.stack([matrix, 1000 * matrix]))
    assert (left.T @ orthogonal[0] @ right.T).diagonal().min() > 0.6
    torch.testing.assert_close(orthogonal[1], orthogonal[0])


def test_matrices_of_one_shape_are_updated_together_as_alone() -> None:
    def weights() -> list[nn.Parameter]:
        generator, shapes = torch.Generator().manual_seed(0), [(4, 12), (12, 4), (4, 3, 2, 2), (5, 5)]
        parameters = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
        for weight in parameters:
            weight.grad = torch.randn(weight.shape, generator=generator)
        return parameters

    together, alone = weights(), weights()
    Muon(together, 1e-2, 2e-2, (0.9, 0.99), 0.01).step()
    for weight in alone:
        Muon([weight], 1e-2, 2e-2, (0.9, 0.99), 0.01).step()
    for one, other, before in zip(together, alone, weights(), strict=True):
        torch.testing.assert_close(one, other)
        assert (one - before).abs().max() > 1e-3


def test_vectors_and_depthwise_kernels_are_updated_like_adamw() -> None:
    ours, theirs = network(), network()
    vectors = [theirs[0].bias, theirs[2].weight, theirs[2].bias, theirs[4].bias]
    learn(ours, muon(ours, matrix_rate=0.0), 5)
    learn(theirs, torch.optim.AdamW(vectors, lr=1e-2, betas=(0.9, 0.99), weight_decay=0.0), 5)  # type: ignore[arg-type]
    for actual, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(actual, expected)


def test_the_loss_falls() -> None:
    model = network()
    x = torch.randn(16, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    before = (model(x) - x.mean(dim=(1, 2, 3))[:, None]).square().mean()
    learn(model, muon(model), 60)
    assert (model(x) - x.mean(dim=(1, 2, 3))[:, None]).square().mean() < before / 10


def test_a_saved_state_continues_exactly() -> None:
    uninterrupted, resumed = network(), network()
    learn(uninterrupted, muon(uninterrupted), 6)
    first, second = muon(resumed), muon(resumed)
    learn(resumed, first, 3)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    learn(resumed, second, 3)
    assert all(torch.equal(a, b) for a, b in zip(uninterrupted.parameters(), resumed.parameters(), strict=True))


def test_settings_are_not_taken_from_a_checkpoint() -> None:
    model = network()
    changed = muon(model, rate=0.5, matrix_rate=0.25)
    changed.load_state_dict(muon(model).state_dict())
    assert [group["lr"] for group in changed.param_groups] == [0.25, 0.5]


def test_a_network_without_matrices_trains() -> None:
    gain = nn.Parameter(torch.ones(()))
    optimizer = Muon([gain], 1e-2, 2e-2, (0.9, 0.99), 0.01)
    gain.square().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert gain < 1
