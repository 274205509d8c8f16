"""Figures of tokens: bits, codes in use, perplexity, and the accuracy of a linear probe."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from trajvq.metrics.intervals import wilson

LARGEST_HISTOGRAM = 2**20  # codes; counts of a larger codebook are not listed code by code
PROBE_STEPS = 100  # iterations of L-BFGS


def codebook_sizes(codebook_size: int | Sequence[int]) -> tuple[int, ...]:
    """Return the size of each codebook.

    Args:
        codebook_size: Number of codes, or that of each of several codebooks, as in residual quantization.
    """
    return (codebook_size,) if isinstance(codebook_size, int) else tuple(codebook_size)


class CodeUsage(Metric):
    """Counts the tokens of every code, among all tokens and among those whose cell holds the object.

    ``compute`` returns ``codes_used``, ``perplexity``, ``object_perplexity`` if any object was located, and
    ``counts``: int64 ``(codes,)`` for ``all`` tokens and for those of the ``object``; empty for a codebook larger than
    `LARGEST_HISTOGRAM`. Memory grows with the codes in use, not with the codebook. Codes of several codebooks are
    different codes, one codebook after the other.

    Args:
        codebook_size: See `codebook_sizes`.
        strides: Frames, rows and columns that a token covers.
    """

    full_state_update = False

    def __init__(self, codebook_size: int | Sequence[int], strides: tuple[int, int, int]) -> None:
        super().__init__()
        self.sizes, self.strides = codebook_sizes(codebook_size), strides
        self.table: list[Tensor]  # int64 (codes in use, 3): code, its tokens, those of the object
        self.add_state("table", [], dist_reduce_fx="cat")
        self.reset()

    def reset(self) -> None:
        """Forget all tokens."""
        super().reset()
        # Processes exchange their tables, so one without clips has an empty one.
        self.table = [torch.zeros(0, 3, dtype=torch.int64, device=self.device)]

    def update(self, indices: Tensor, pixel: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            indices: int64 ``(B, t, h, w)``, or ``(B, q, t, h, w)`` of q codebooks.
            pixel: ``(B, T, K, 2)`` true (x, y) of the objects in pixels; NaN where there is none.
        """
        tokens = indices if indices.ndim == 5 else indices[:, None]
        first = torch.tensor([0, *self.sizes[:-1]], device=tokens.device).cumsum(0)
        tokens = (tokens + first.view(-1, 1, 1, 1)).movedim(1, -1)  # (B, t, h, w, q)
        new = [_rows(tokens, 1)] if pixel is None else [_rows(tokens, 1), _rows(self._of_objects(tokens, pixel), 2)]
        self.table = [_merged(torch.cat([*self.table, *new]))]

    def _of_objects(self, tokens: Tensor, pixel: Tensor) -> Tensor:
        """Return the tokens of the cells that hold an object. A causal first latent frame covers a single frame.

        An object whose center is outside the picture is in no cell.
        """
        size = pixel.new_tensor([tokens.shape[3] * self.strides[2], tokens.shape[2] * self.strides[1]])
        located = ((pixel >= 0) & (pixel < size)).all(dim=-1)  # NaN is neither
        clip, frame = torch.nonzero(located, as_tuple=True)[:2]
        before = tokens.shape[1] * self.strides[0] - pixel.shape[1]
        x, y = (pixel[located] / pixel.new_tensor([self.strides[2], self.strides[1]])).long().unbind(-1)
        latent = (frame + before) // self.strides[0]
        cell = torch.stack([clip, latent, y, x], dim=-1)
        b, t, h, w = torch.unique(cell, dim=0).unbind(-1)
        return tokens[b, t, h, w]

    def compute(self) -> dict[str, Any]:
        code, *columns = _merged(dim_zero_cat(self.table)).unbind(-1)
        figures: dict[str, Any] = {"codes_used": float((columns[0] > 0).sum()), "perplexity": _perplexity(columns[0])}
        parts = {"all": columns[0]}
        if columns[1].sum() > 0:
            figures["object_perplexity"] = _perplexity(columns[1])
            parts["object"] = columns[1]
        counts = {}
        if sum(self.sizes) <= LARGEST_HISTOGRAM:
            for name, values in parts.items():
                counts[name] = values.new_zeros(sum(self.sizes)).index_put((code,), values).cpu()
        return figures | {"counts": counts}


def _rows(tokens: Tensor, column: int) -> Tensor:
    """Return rows of the table: each token's code, and 1 in one column."""
    rows = tokens.new_zeros(tokens.numel(), 3)
    rows[:, 0], rows[:, column] = tokens.flatten(), 1
    return rows


def _merged(table: Tensor) -> Tensor:
    """Return a table with one row per code, in ascending order."""
    code, row = torch.unique(table[:, 0], return_inverse=True)
    return torch.cat([code[:, None], table.new_zeros(len(code), 2).index_add(0, row, table[:, 1:])], dim=1)


def _perplexity(counts: Tensor) -> float:
    share = counts.double() / counts.sum().clamp(min=1)
    return float(torch.exp(-torch.xlogy(share, share).sum()))


def bits(cells: int, codebook_size: int | Sequence[int]) -> float:
    """Return the bits of the tokens of a number of cells.

    Args:
        cells: Number of cells, each with one token of every codebook.
        codebook_size: See `codebook_sizes`.
    """
    return cells * sum(math.log2(size) for size in codebook_sizes(codebook_size))


def linear_probe(train: Tensor, train_label: Tensor, test: Tensor, test_label: Tensor) -> float:
    """Return the accuracy of `fit_linear_probe` on other clips.

    Args:
        train: float ``(N, ...)``.
        train_label: int64 ``(N,)``.
        test: float ``(M, ...)``.
        test_label: int64 ``(M,)``.
    """
    classes = int(max(train_label.max(), test_label.max())) + 1
    (logits,) = fit_linear_probe(train.flatten(1), train_label, [test.flatten(1)], classes)
    return float((logits.argmax(dim=-1) == test_label).double().mean())


def probe_figures(
    codes: tuple[Tensor, Tensor], positions: tuple[Tensor, Tensor] | None, label: tuple[Tensor, Tensor]
) -> tuple[dict[str, float], list[str]]:
    """Return the accuracy of a linear probe on codes and on true positions, and remarks on what is left out.

    Where the probe on true positions is near chance, it says nothing of codes either: both are left out. Chance is the
    share of the commonest class; near it is where the Wilson interval reaches it.

    Args:
        codes: float ``(N, ...)`` of the clips to fit on and ``(M, ...)`` of those to score.
        positions: ``(N, T, 2)`` and ``(M, T, 2)`` true positions of the same clips, NaN where there is
            no object; None if they are not stored.
        label: int64 ``(N,)`` and ``(M,)``.

    Returns:
        ``probe_accuracy`` and, with positions, ``probe_accuracy_true``; and lines of a scoreboard.
    """
    figures = {}
    if positions is not None:
        true = linear_probe(positions[0].nan_to_num(), label[0], positions[1].nan_to_num(), label[1])
        floor = float(label[1].bincount().max()) / len(label[1])
        if wilson(true * len(label[1]), len(label[1]))["low"] <= floor:
            remark = f"probe_accuracy is left out: the same probe reads {true:.3f} of the classes from true positions"
            return {}, [f"{remark}, near chance ({floor:.3f})"]
        figures["probe_accuracy_true"] = true
    return {"probe_accuracy": linear_probe(codes[0], label[0], codes[1], label[1]), **figures}, []


def fit_linear_probe(
    train: Tensor, label: Tensor, tests: Sequence[Tensor], classes: int, penalty: float = 1e-3
) -> list[Tensor]:
    """Fit multinomial logistic regression and return its logits for other clips.

    Features are standardized over the training clips. L-BFGS starts from zero, so the fit is deterministic.

    Args:
        train: float ``(N, D)``.
        label: int64 ``(N,)``.
        tests: float ``(M, D)`` each, the other clips.
        classes: Number of classes.
        penalty: Weight of the squared coefficients.

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
        optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=PROBE_STEPS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(linear(train), label) + penalty * linear.weight.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return [linear(test).detach() for test in tests]
