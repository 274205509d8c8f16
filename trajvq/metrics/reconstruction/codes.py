"""Figures of tokens: bits, codes in use, perplexity, and the accuracy of a linear probe."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric


class CodeUsage(Metric):
    """Counts the tokens of every code, among all tokens and among those whose cell holds the object.

    ``compute`` returns ``codes_used``, ``perplexity``, ``object_perplexity`` if any object was located, and
    ``counts``: int64 ``(codes,)`` for ``all`` tokens and for those of the ``object``.

    Args:
        codebook_size: Number of codes.
        strides: Frames, rows and columns that a token covers.
    """

    full_state_update = False

    def __init__(self, codebook_size: int, strides: tuple[int, int, int]) -> None:
        super().__init__()
        self.codebook_size, self.strides = codebook_size, strides
        self.counts: Tensor
        self.object_counts: Tensor
        self.add_state("counts", torch.zeros(codebook_size, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("object_counts", torch.zeros(codebook_size, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, indices: Tensor, pixel: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            indices: int64 ``(B, t, h, w)``.
            pixel: ``(B, T, K, 2)`` true (x, y) of the objects in pixels; NaN where there is none.
        """
        self.counts += torch.bincount(indices.flatten(), minlength=self.codebook_size)
        if pixel is None:
            return
        _, rows, columns = indices.shape[1:]
        clip, frame, item = torch.nonzero(pixel.isfinite().all(dim=-1), as_tuple=True)
        x, y = (pixel[clip, frame, item] / pixel.new_tensor([self.strides[2], self.strides[1]])).long().unbind(-1)
        cell = torch.stack([clip, frame // self.strides[0], y.clamp(0, rows - 1), x.clamp(0, columns - 1)], dim=-1)
        b, t, h, w = torch.unique(cell, dim=0).unbind(-1)
        self.object_counts += torch.bincount(indices[b, t, h, w], minlength=self.codebook_size)

    def compute(self) -> dict[str, Any]:
        figures: dict[str, Any] = {"codes_used": float((self.counts > 0).sum()), "perplexity": _perplexity(self.counts)}
        counts = {"all": self.counts.cpu()}
        if self.object_counts.sum() > 0:
            figures["object_perplexity"] = _perplexity(self.object_counts)
            counts["object"] = self.object_counts.cpu()
        return figures | {"counts": {name: value.clone() for name, value in counts.items()}}


def _perplexity(counts: Tensor) -> float:
    share = counts.double() / counts.sum().clamp(min=1)
    return float(torch.exp(-torch.xlogy(share, share).sum()))


def bits(tokens: int, codebook_size: int) -> float:
    """Return the bits of a number of tokens of a codebook."""
    return tokens * math.log2(codebook_size)


def linear_probe(
    train: Tensor, train_label: Tensor, test: Tensor, test_label: Tensor, penalty: float = 1e-3, steps: int = 100
) -> float:
    """Return the accuracy of `fit_linear_probe` on other clips.

    Args:
        train: float ``(N, D)``.
        train_label: int64 ``(N,)``.
        test: float ``(M, D)``.
        test_label: int64 ``(M,)``.
        penalty: See `fit_linear_probe`.
        steps: See `fit_linear_probe`.
    """
    classes = int(max(train_label.max(), test_label.max())) + 1
    (logits,) = fit_linear_probe(train, train_label, [test], classes, penalty, steps)
    return float((logits.argmax(dim=-1) == test_label).double().mean())


def fit_linear_probe(
    train: Tensor,
    label: Tensor,
    tests: Sequence[Tensor],
    classes: int,
    penalty: float = 1e-3,
    steps: int = 100,
) -> list[Tensor]:
    """Fit multinomial logistic regression and return its logits for other clips.

    Features are standardized over the training clips. L-BFGS starts from zero, so the fit is deterministic.

    Args:
        train: float ``(N, D)``.
        label: int64 ``(N,)``.
        tests: float ``(M, D)`` each, the other clips.
        classes: Number of classes.
        penalty: Weight of the squared coefficients.
        steps: Iterations of L-BFGS.

    Returns:
        Logits ``(M, classes)`` for each of ``tests``.
    """
    with torch.inference_mode(False), torch.enable_grad():
        # Tensors created in inference mode carry no gradients; copies do.
        train, label, *tests = (x.clone() for x in (train, label, *tests))
        mean, deviation = train.mean(dim=0), train.std(dim=0)
        varying = deviation > 1e-6
        train, *tests = (((x - mean) / deviation)[:, varying] for x in (train, *tests))
        linear = nn.Linear(train.shape[1], classes)
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(linear(train), label) + penalty * linear.weight.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return [linear(test).detach() for test in tests]
