"""Random paths from the paths of objects, as far as the symmetries of the clips allow.

B paths, T frames.
"""

import torch
from torch import Tensor

from trajvq.augment.protocols import PathAugmentation
from trajvq.augment.symmetries import ClipSymmetries

MARGIN = 0.08  # least distance from the edge of the picture, in half pictures, where a path fits


class NoPathSymmetries:
    """A `PathAugmentation` that leaves paths as they are."""

    def paths(self, path: Tensor, height: int, width: int) -> Tensor:
        """Return the paths; see `PathAugmentation`."""
        return path


class PathSymmetries:
    """Map paths to others of the same kind: mirror, rotate, reverse and put them anywhere in the picture."""

    def paths(self, path: Tensor, height: int, width: int) -> Tensor:
        """Return augmented paths; see `PathAugmentation`. Angles and lengths are those of pixels."""
        uniform = torch.rand(5, len(path), 1, 1, device=path.device)
        picture = path.new_tensor([width, height]) / max(width, height)
        path = path * picture
        path = torch.where(uniform[0] < 0.5, path.flip(-1), path)
        path = torch.where(uniform[1] < 0.5, -path, path)
        mirrored = path * path.new_tensor([-1.0, 1.0])
        path = torch.where(uniform[2] < 0.5, mirrored, path)
        angle = 2 * torch.pi * uniform[3]
        x, y = path[..., :1], path[..., 1:]
        path = torch.cat([angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y], dim=-1)
        path = torch.where(uniform[4] < 0.5, path.flip(1), path)
        path = path / picture
        missing = path.isnan()
        low = MARGIN - 1 - path.masked_fill(missing, torch.inf).amin(dim=1, keepdim=True)
        high = 1 - MARGIN - path.masked_fill(missing, -torch.inf).amax(dim=1, keepdim=True)
        fraction = torch.rand(low.shape, device=path.device)
        shift = torch.where(high > low, low + (high - low) * fraction, (low + high) / 2)
        return path + shift.nan_to_num(0.0, 0.0, 0.0)


def path_symmetries(augment: object) -> PathAugmentation:
    """Return how paths may be moved, given how the clips are: by any angle and to anywhere if these are symmetric.

    Args:
        augment: The augmentation of the clips; None for none.
    """
    if isinstance(augment, ClipSymmetries) and augment.complete:
        return PathSymmetries()
    return augment if isinstance(augment, PathAugmentation) else NoPathSymmetries()
