"""ReferenceFrame: axes along and across a motion, in which paths look alike that are turned or mirrored."""

from typing import NamedTuple

import torch
from torch import Tensor


class ReferenceFrame(NamedTuple):
    """Axes of the plane, which broadcast against points.

    Attributes:
        direction: ``(..., 2)`` unit vectors, the first axis.
        side: ``(...)``, 1 or -1: which way from it the second axis points.
    """

    direction: Tensor
    side: Tensor

    def into(self, points: Tensor) -> Tensor:
        """Return points ``(..., 2)`` given in x and y along and across."""
        (x, y), (along, across) = points.unbind(dim=-1), self.direction.unbind(dim=-1)
        return torch.stack([x * along + y * across, (y * along - x * across) * self.side], dim=-1)

    def out_of(self, points: Tensor) -> Tensor:
        """Return points ``(..., 2)`` given along and across in x and y."""
        (first, second), (along, across) = points.unbind(dim=-1), self.direction.unbind(dim=-1)
        second = second * self.side
        return torch.stack([first * along - second * across, first * across + second * along], dim=-1)

    @property
    def heading(self) -> Tensor:
        """The picture's x axis in this frame, ``(..., 2)``: which way the motion goes in the picture."""
        along, across = self.direction.unbind(dim=-1)
        return torch.stack([along, across * self.side], dim=-1)


def unit(vector: Tensor) -> Tensor:
    """Return unit vectors ``(..., 2)``; the x axis for vectors without length."""
    length = vector.norm(dim=-1, keepdim=True)
    return torch.where(length > 1e-6, vector / length.clamp(min=1e-6), vector.new_tensor([1.0, 0.0]))


def side_of(vector: Tensor, direction: Tensor) -> Tensor:
    """Return on which side of the direction ``(..., 2)`` the vector lies: 1 or -1 ``(...)``."""
    turn = direction[..., 0] * vector[..., 1] - direction[..., 1] * vector[..., 0]
    return torch.where(turn < 0, -1.0, 1.0)
