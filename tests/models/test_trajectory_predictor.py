"""TrajectoryPredictor sees places alike from everywhere, nothing that comes later, and learns how sure to be."""

import torch
from torch.nn import functional as F

from trajvq.models.trajectory_predictor import TrajectoryPredictor, geometric_median


def made(frames: int = 8) -> TrajectoryPredictor:
    torch.manual_seed(0)
    return TrajectoryPredictor(frames, width=32, layers=1, noisy_layers=1, noise=4)


def test_what_was_not_seen_is_not_looked_at() -> None:
    network, path, chance = made(), torch.randn(5, 8, 2), torch.randn(5, 3, 4)
    given = torch.tensor([4, 1, 7, 3, 4])
    other = path.clone()
    for row, count in enumerate(given.tolist()):
        other[row, count:] = torch.nan
    assert torch.equal(network(path, given, chance), network(other, given, chance))
    seen = path.clone()
    seen[:, 0] += 1
    assert not torch.equal(network(path, given, chance), network(seen, given, chance))


def test_a_turned_and_mirrored_path_is_foreseen_turned_and_mirrored_but_for_the_picture() -> None:
    network, path, chance = made(), torch.randn(4, 8, 2).cumsum(dim=1), torch.randn(4, 3, 4)
    given = torch.full((4,), 6)
    with torch.no_grad():
        network.inward.weight[:, -4:] = 0  # where the picture lies
    angle = torch.tensor(0.7)
    turn = torch.stack([torch.stack([angle.cos(), angle.sin()]), torch.stack([angle.sin(), -angle.cos()])])
    first, second = network(path, given, chance), network(path @ turn + 0.3, given, chance)
    torch.testing.assert_close(first @ turn + 0.3, second, atol=1e-4, rtol=1e-4)


def test_places_given_stay_and_frames_asked_for_come() -> None:
    network, path, label = made(), torch.randn(3, 4, 2), torch.zeros(3, dtype=torch.int64)
    chance = torch.rand(3, 8, 1, 3, dtype=torch.float64)
    for noise_scale in (0.0, 1.0):
        whole = network.rollout(path, 8, label, chance, noise_scale)
        assert whole.shape == (3, 8, 2)
        assert torch.equal(whole[:, :4], path)
        assert torch.equal(network.rollout(path, 6, label, chance[:, :6], noise_scale), whole[:, :6]) or noise_scale
    assert torch.equal(network.rollout(path, 4, label, chance[:, :4]), path)
    alike = network.rollout(path, 8, label, chance, 0.0)
    assert torch.equal(alike, network.rollout(path, 8, label, 1 - chance, 0.0))


def test_it_learns_to_be_as_unsure_as_the_world_is() -> None:
    torch.manual_seed(0)
    network = TrajectoryPredictor(3, width=32, layers=1, noisy_layers=1, noise=4)
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    given = torch.full((128,), 2)
    for _ in range(150):
        path = torch.zeros(128, 3, 2)
        path[:, 1, 0] = 0.3
        path[:, 2] = torch.tensor([0.6, 0.0]) + 0.2 * torch.randn(128, 2)
        loss = network.loss(path, given)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        drawn = network(path[:1], given[:1], torch.randn(1, 500, 4))[0, :, 2]
    assert (drawn.mean(dim=0) - torch.tensor([0.6, 0.0])).norm() < 0.08
    assert 0.12 < drawn.std(dim=0).mean() < 0.28


def test_the_geometric_median_is_where_distances_are_least() -> None:
    points = torch.randn(2, 21, 3, 2)
    points[:, 0] = 1000.0
    middle = geometric_median(points, 50)

    def apart(place: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = (points - place[:, None]).norm(dim=-1).mean(dim=1)
        return found

    for move in F.pad(torch.eye(2), (0, 0)) * 0.2:
        assert (apart(middle) <= apart(middle + move)).all()
        assert (apart(middle) <= apart(middle - move)).all()
