"""The geometric median, minimized iteratively: the point with the least mean distance to a set of points."""

from torch import Tensor


def geometric_median(
    points: Tensor, rounds: int = 12, weight: Tensor | None = None, least_distance: float = 1e-4
) -> Tensor:
    """Return the points ``(B, ..., D)`` with the least mean distance to K points each (Weiszfeld, 1937).

    Args:
        points: float ``(B, K, ..., D)``.
        rounds: Iterations.
        weight: float ``(B, K, ...)`` weights of the points; None weighs all equally.
        least_distance: Smaller distances count as this, so that a median on one of the points is no division by zero.
    """
    if weight is None:
        median: Tensor = points.mean(dim=1)
    else:
        median = (points * weight[..., None]).sum(dim=1) / weight.sum(dim=1).clamp(min=1)[..., None]
    for _ in range(rounds):
        distance = (points - median[:, None]).norm(dim=-1, keepdim=True).clamp(min=least_distance)
        pull = 1 / distance if weight is None else weight[..., None] / distance
        median = (points * pull).sum(dim=1) / pull.sum(dim=1).clamp(min=1e-9)
    return median
