"""Muon: steps of equal size in every direction of a weight matrix (Jordan et al., 2024), AdamW for the rest."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # a quintic that drives singular values to about 1 in few steps
ITERATIONS = 5
MOMENTUM = 0.95


def orthogonalize(matrices: Tensor) -> Tensor:
    """Return the nearest matrices with all singular values about 1 (0.7 to 1.2), by Newton-Schulz iteration.

    Args:
        matrices: float ``(matrices, rows, columns)``, fastest with no more rows than columns; the result is float32 of
            the same shape.
    """
    a, b, c = NEWTON_SCHULZ
    made = matrices.float()
    made = made / (made.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = made @ made.mT
        made = torch.baddbmm(made, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), made, beta=a)
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
            weights = [weight for weight in group["params"] if weight.grad is not None]
            (self._matrices if group["matrices"] else self._vectors)(weights, group)
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the averages; learning rates, betas and decay stay what they were set to."""
        settings = [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, settings, strict=True):
            group.update(own)
        for weight, state in self.state.items():
            if "step" in state:  # nobody else moves it, and fused AdamW wants it beside the weight
                state["step"] = state["step"].to(weight.device)

    def _matrices(self, weights: list[nn.Parameter], group: dict[str, Any]) -> None:
        alike = defaultdict(list)  # those of one shape, lying, are made orthogonal together
        for weight in weights:
            assert weight.grad is not None
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
            ahead = weight.grad.lerp(state["momentum"], MOMENTUM).flatten(1)  # Nesterov
            lying = ahead.mT if ahead.shape[0] > ahead.shape[1] else ahead
            alike[lying.shape].append((weight, lying))
        for same in alike.values():
            steps = orthogonalize(torch.stack([lying for _, lying in same]))
            for (weight, _), step in zip(same, steps, strict=True):
                ratio = weight.shape[0] ** 2 / weight.numel()  # rows of a column
                step = (step.mT if ratio > 1 else step).reshape(weight.shape)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(step, alpha=-group["lr"] * max(1.0, ratio) ** 0.5)

    def _vectors(self, weights: list[nn.Parameter], group: dict[str, Any]) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] = {"mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
                self.state[weight]["step"] = torch.zeros((), device=weight.device)
        states = [self.state[weight] for weight in weights]
        first, second = group["betas"]
        adamw(
            list(weights),
            [weight.grad for weight in weights if weight.grad is not None],
            [state["mean"] for state in states],
            [state["square"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=first,
            beta2=second,
            lr=group["lr"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
