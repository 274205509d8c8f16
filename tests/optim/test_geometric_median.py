"""The geometric median is where the mean distance is least, whatever the weights."""

import pytest
import torch
from torch import Tensor

from trajvq.optim.geometric_median import geometric_median


@pytest.mark.parametrize("weighted", [False, True])
def test_no_step_away_from_the_median_lowers_the_mean_distance(weighted: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(2, 21, 3, 2, generator=generator)
    points[:, 0] = 1000.0
    weight = torch.rand(2, 21, 3, generator=generator) if weighted else None
    median = geometric_median(points, 50, weight)

    def mean_distance(position: Tensor) -> Tensor:
        distance: Tensor = (points - position[:, None]).norm(dim=-1)
        return (distance if weight is None else distance * weight).mean(dim=1)

    for step in 0.2 * torch.eye(2):
        assert (mean_distance(median) <= mean_distance(median + step)).all()
        assert (mean_distance(median) <= mean_distance(median - step)).all()


def test_points_without_weight_are_ignored() -> None:
    points = torch.randn(2, 9, 3, 2, generator=torch.Generator().manual_seed(0))
    weight = torch.ones(2, 9, 3)
    weight[:, 5:] = 0
    torch.testing.assert_close(geometric_median(points, 40, weight), geometric_median(points[:, :5], 40))
