"""Do two samples look alike? Distances to the nearest neighbor in the other sample, and in the other sample turned."""

import torch
from torch import Tensor


def turned_ratio(straight: Tensor, turned: Tensor) -> float:
    """Return twice the share of items whose nearest turned neighbor is nearer; 0 if turning changes nothing.

    Near 1 where a turned item is as good a neighbor as any. This is the two-sample test by nearest neighbors
    (Schilling, 1986), and it needs no training.

    Args:
        straight: ``(n,)`` distances to the nearest neighbor; infinite for an item that has none, which does not count.
        turned: ``(n,)`` distances to the nearest of the same neighbors, turned.
    """
    comparable = straight.isfinite()
    straight, turned = straight[comparable], turned[comparable]
    tie = (straight - turned).abs() <= 1e-5 * (straight + turned)
    if bool(tie.all()):
        return 0.0
    return float(2 * ((turned < straight) & ~tie).float().mean() + tie.float().mean())


def nearest(first: Tensor, second: Tensor, other: Tensor) -> Tensor:
    """Return the distance ``(n + m,)`` of each of two groups of features to its nearest neighbor in the other.

    If the second group is turned, these are also the distances of its unturned members to the turned first group,
    since every turn undoes itself.

    Args:
        first: ``(n, d)``.
        second: ``(m, d)``.
        other: bool ``(n, m)``, pairs that are no neighbors; infinitely far for a member that has only such pairs.
    """
    distances = torch.cdist(first, second).masked_fill(other, torch.inf)
    return torch.cat([distances.amin(dim=1), distances.amin(dim=0)])
