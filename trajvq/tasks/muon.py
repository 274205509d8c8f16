"""Muon: steps of equal size in every direction of a weight matrix (Jordan et al., 2024), AdamW for the rest."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # a quintic that drives singular values to about 1 in few steps
ITERATIONS = 5
MOMENTUM = 0.95


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return the nearest matrix with all singular values about 1 (0.7 to 1.2), by Newton-Schulz iteration.

    Args:
        matrix: float ``(rows, columns)``; the result is float32 of the same shape.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.float().mT if tall else matrix.float()
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = wide @ wide.mT
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    made: Tensor = wide.mT if tall else wide
    return made


def is_matrix(weight: Tensor) -> bool:
    """Tell whether Muon steps a weight: it maps many channels to many. Depthwise kernels, gains and biases do not."""
    return weight.ndim > 1 and weight.shape[1] > 1 and weight.shape[0] > 1


class Muon(torch.optim.Optimizer):
    """Orthogonalized momentum for matrices (convolutions are flattened to one), AdamW for all other weights.

    Args:
        parameters: What is trained.
        learning_rate: Of AdamW.
        matrix_learning_rate: Length of a step of the matrices, relative to their singular values.
        betas: AdamW's running averages.
        weight_decay: Decoupled decay of the matrices; vectors are not decayed.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        matrix_learning_rate: float,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        trained = [p for p in parameters if p.requires_grad]
        matrices, others = [p for p in trained if is_matrix(p)], [p for p in trained if not is_matrix(p)]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "lr": matrix_learning_rate, "matrices": True},
            {"params": others, "lr": learning_rate, "matrices": False},
        ]
        defaults = {"betas": betas, "weight_decay": weight_decay}
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step; the closure, where there is one, computes loss and gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    (self._matrix if group["matrices"] else self._vector)(weight, group)
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the averages; learning rates, betas and decay stay what they were set to."""
        settings = [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, settings, strict=True):
            group.update(own)

    def _matrix(self, weight: nn.Parameter, group: dict[str, Any]) -> None:
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
        ahead = weight.grad.lerp(state["momentum"], MOMENTUM).flatten(1)  # Nesterov
        scale = max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(orthogonalize(ahead).view_as(weight), alpha=-group["lr"] * scale)

    def _vector(self, weight: nn.Parameter, group: dict[str, Any]) -> None:
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
            state["step"] = torch.zeros(())
        state["step"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(weight.grad, 1 - first)
        state["square"].lerp_(weight.grad.square(), 1 - second)
        mean = state["mean"] / (1 - first ** state["step"])
        square = state["square"] / (1 - second ** state["step"])
        weight.add_(mean / (square.sqrt() + 1e-8), alpha=-group["lr"])
