"""Muon: steps of equal size in every direction of a weight matrix, and AdamW for all other weights.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from trajvq.optim.adamw import KeepsSettings
from trajvq.optim.graphs import Recorded

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of a quintic that drives singular values to about 1
ITERATIONS = 5
MOMENTUM = 0.95


def orthogonalize(matrices: Tensor) -> Tensor:
    """Return the closest matrices whose singular values are all about 1 (0.7 to 1.2), by Newton-Schulz iteration.

    Args:
        matrices: float ``(matrices, rows, columns)``. It is fastest with no more rows than columns.

    Returns:
        float32 of the same shape.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrices.float()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _orthogonalize_all(*stacks: Tensor) -> list[Tensor]:
    return [orthogonalize(stack) for stack in stacks]


def _wide(matrix: Tensor) -> Tensor:
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix


def is_matrix(weight: Tensor) -> bool:
    """Return whether Muon updates a weight: it maps many channels to many, unlike depthwise kernels and biases."""
    return weight.ndim > 1 and weight.shape[1] > 1 and weight.shape[0] > 1


class Muon(KeepsSettings):
    """Update matrices with orthogonalized momentum and all other weights with AdamW.

    Convolution kernels count as matrices, flattened to output channels by the rest.

    Args:
        parameters: The weights to train.
        learning_rate: Learning rate of AdamW.
        matrix_learning_rate: Learning rate of the matrices: the size of a step relative to their singular values.
        betas: Decay rates of AdamW's running averages.
        weight_decay: Decoupled weight decay of the matrices. Other weights do not decay.
        cuda_graphs: Record the kernels that orthogonalize, and launch them together; the weights are on a GPU then.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        matrix_learning_rate: float,
        betas: tuple[float, float],
        weight_decay: float,
        cuda_graphs: bool = False,
    ) -> None:
        trained = [p for p in parameters if p.requires_grad]
        matrices, others = [p for p in trained if is_matrix(p)], [p for p in trained if not is_matrix(p)]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "lr": matrix_learning_rate, "matrices": True},
            {"params": others, "lr": learning_rate, "matrices": False},
        ]
        defaults = {"betas": betas, "weight_decay": weight_decay}
        super().__init__([group for group in groups if group["params"]], defaults)
        self.orthogonalize: Callable[..., Sequence[Tensor]] = _orthogonalize_all
        if cuda_graphs:
            self.orthogonalize = Recorded(lambda stacks: _orthogonalize_all(*stacks))

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step, after the closure, if given, has computed loss and gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            (self._matrices if group["matrices"] else self._vectors)(weights, group)
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        for weight, state in self.state.items():
            if "step" in state:  # nothing else moves it, and fused AdamW needs it on the device of the weight
                state["step"] = state["step"].to(weight.device)

    def _matrices(self, weights: list[nn.Parameter], group: dict[str, Any]) -> None:
        by_shape = defaultdict(list)  # matrices of one shape are orthogonalized together
        for weight in weights:
            assert weight.grad is not None
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
            update = weight.grad.lerp(state["momentum"], MOMENTUM).flatten(1)  # Nesterov
            by_shape[tuple(sorted(update.shape))].append((weight, update))
        stacks = [torch.stack([_wide(update) for _, update in pairs]) for pairs in by_shape.values()]
        steps = self.orthogonalize(*stacks)
        for pairs, same_shape in zip(by_shape.values(), steps, strict=True):
            for (weight, update), step in zip(pairs, same_shape, strict=True):
                ratio = update.shape[0] / update.shape[1]
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
