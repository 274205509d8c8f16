"""The planner: probabilities that sum to one, the future unseen, guidance towards the class."""

import torch

from trajvq.models.autoregressive_trajectory import AutoregressiveTrajectory
from trajvq.models.transformer import TokenLayout

LAYOUT = TokenLayout(10, (10,), (2, 2, 2), 2)


def planner() -> AutoregressiveTrajectory:
    torch.manual_seed(0)
    made = AutoregressiveTrajectory(LAYOUT, 3, width=16, depth=2, heads=2, mixtures=4)
    with torch.no_grad():
        made.noise_scale.fill_(-2.0)
    return made.eval()


def test_probabilities_of_all_next_points_sum_to_one() -> None:
    made = planner()
    axis = torch.arange(-192, 192) * float(made.grid[0])
    points = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1).view(-1, 1, 2)
    path = torch.tensor([[0.1, -0.2], [0.15, -0.1]]).expand(len(points), -1, -1)
    with torch.no_grad():
        found = [
            made.log_probability(torch.cat([path[part], points[part]], dim=1), torch.ones(len(part), dtype=torch.int64))
            for part in torch.split(torch.arange(len(points)), 30000)
        ]
    assert abs(float(torch.cat(found)[:, 2].double().exp().sum()) - 1) < 1e-3


def test_no_point_says_anything_of_earlier_ones() -> None:
    made = planner()
    path = torch.rand(2, 4, 2)
    changed = path.clone()
    changed[:, 2:] = torch.rand(2, 2, 2)
    label = torch.tensor([0, 3])
    with torch.no_grad():
        first, second = made.log_probability(path, label), made.log_probability(changed, label)
    assert torch.allclose(first[:, :2], second[:, :2], atol=1e-5)
    assert not torch.allclose(first[:, 2:], second[:, 2:], atol=1e-3)


def test_drawn_points_are_as_frequent_as_their_probability_says() -> None:
    made = planner()
    label = torch.zeros(4000, dtype=torch.int64)
    chance = torch.rand(4000, 2, 1, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        drawn = made.rollout(torch.zeros(4000, 1, 2), 2, label, chance)
        surprise = -made.log_probability(drawn, label)[:, 1]
        mixture = made._mixture(
            made.transformer(made._embed(torch.zeros(1, 1, 3, 2), torch.tensor([0]), label[:1])),
            torch.zeros(1, 1, 3, 2),
            torch.tensor([0]),
        )
        assert mixture.weight.exp().sum() == torch.tensor(1.0) or abs(float(mixture.weight.exp().sum()) - 1) < 1e-5
        axis = torch.arange(-192, 192) * float(made.grid[0])
        points = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1).view(-1, 1, 2)
        whole = torch.cat([torch.zeros_like(points), points], dim=1)
        known = torch.cat([made.log_probability(w, label[:1].expand(len(w))) for w in torch.split(whole, 30000)])[:, 1]
        entropy = float(-(known.double().exp() * known).sum())
    assert abs(float(surprise.mean()) - entropy) < 4 * float(surprise.std()) / 4000**0.5
    assert torch.equal(drawn, made.rounded(drawn))


def test_guidance_makes_drawn_paths_likelier_for_their_class() -> None:
    made = planner()
    with torch.no_grad():
        made.label.weight.mul_(3)
    label = torch.arange(300) % 3
    gain = []
    for guidance in (1.0, 4.0):
        shape = (300, 4, made.draws(guidance), 3)
        chance = torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        with torch.no_grad():
            drawn = made.rollout(torch.zeros(300, 0, 2), 4, label, chance, guidance=guidance)
            with_class = made.log_probability(drawn, label).sum(dim=1)
            gain.append(float((with_class - made.log_probability(drawn, torch.full_like(label, 3)).sum(dim=1)).mean()))
    assert gain[1] > gain[0] + 0.5
