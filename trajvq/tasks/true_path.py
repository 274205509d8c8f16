"""The `true_path` row: the classifier's own network trained on the true path, with the same budget."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.augment import ClipSymmetries
from trajvq.data.order import TrainingOrder
from trajvq.data.storage.clips import Clips
from trajvq.models.classifier import Classifier
from trajvq.models.transformer import TokenLayout
from trajvq.optim.schedule import adamw

AVERAGE = 0.99  # of the weights, as in training


def class_loss(logits: Tensor, label: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Return cross-entropy and accuracy of logits ``(B, classes)`` over the labels that are not -1."""
    known = label >= 0
    count = known.sum().clamp(min=1)
    loss = F.cross_entropy(logits, label, ignore_index=-1, label_smoothing=smoothing, reduction="sum") / count
    return loss, ((logits.detach().argmax(dim=1) == label) & known).sum() / count


def place_loss(points: Tensor, places: Tensor) -> Tensor:
    """Return the mean distance along x and y of ``(B, T, 2)`` points from places; what is NaN there is left out."""
    seen = places.isfinite()
    return ((points - places.nan_to_num()).abs() * seen).sum() / seen.sum().clamp(min=1)


def path_of(clips: Clips, rows: Tensor | None = None) -> Tensor:
    """Return the true paths of clips, float ``(N, T, 2)``, -1 to 1 from edge to edge."""
    _, _, height, width = clips.shape
    pixel = clips.columns["pixel"] if rows is None else clips.columns["pixel"][rows]
    return 2 * pixel / pixel.new_tensor([width, height]) - 1


def true_path_answers(
    network: Classifier,
    layout: TokenLayout,
    classes: int,
    train: Clips,
    count: int,
    asked: Mapping[str, Tensor],
    augment: nn.Module | None,
    steps: int,
    batch_size: int,
    weights: tuple[float, float],
    seed: int,
    settings: tuple[float, int, tuple[float, float], float],
) -> dict[str, Tensor]:
    """Train a network on true paths and return its probabilities for other paths.

    Args:
        network: Settings of the classifier; it is left as it is.
        layout: Of the tokens that the paths stand in for.
        classes: Number of classes.
        train: The training clips.
        count: How many of them are trained on.
        asked: Paths ``(M, T, 2)`` by name.
        augment: The tokens' augmentation in pixels; of `ClipSymmetries` paths go through the same.
        steps: Training steps.
        batch_size: Clips a step.
        weights: Label smoothing, and the weight of the points' distance from the path.
        seed: Of weights, order and augmentation.
        settings: Learning rate, steps of its rise, betas and weight decay.

    Returns:
        float ``(M, classes)`` for each of ``asked``.
    """
    labels = train.columns["label"][:count]
    return path_answers(
        network,
        layout,
        classes,
        (path_of(train)[:count], labels),
        train.shape[2:],
        asked,
        augment,
        steps,
        batch_size,
        weights,
        seed,
        settings,
    )


def path_answers(
    network: Classifier,
    layout: TokenLayout,
    classes: int,
    train: tuple[Tensor, Tensor],
    size: Sequence[int],
    asked: Mapping[str, Tensor],
    augment: nn.Module | None,
    steps: int,
    batch_size: int,
    weights: tuple[float, float],
    seed: int,
    settings: tuple[float, int, tuple[float, float], float],
) -> dict[str, Tensor]:
    """Train a network on any paths ``(N, T, 2)`` and their labels; see `true_path_answers`.

    Args:
        network: As there.
        layout: As there.
        classes: As there.
        train: Paths and labels.
        size: Height and width of the picture in px.
        asked: As there, and all that follow.
        augment: As there.
        steps: As there.
        batch_size: As there.
        weights: As there.
        seed: As there.
        settings: As there.
    """
    rate, rise, betas, decay = settings
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        made = type(network)(**{name: getattr(network, name) for name in network.settings()})
        made.build(layout, classes, points=True)
        average = copy.deepcopy(made).eval().requires_grad_(False)
        optimizer = adamw(made.parameters(), rate, rise, steps, betas, decay)
        paths, labels = (part.clone() for part in train)
        for rows in TrainingOrder(len(paths), min(batch_size, len(paths)), steps, seed=seed):
            path = paths[rows]
            if isinstance(augment, ClipSymmetries):
                path = augment.paths(path, *size)
            logits, points = made.read(path)
            loss, _ = class_loss(logits, labels[rows], weights[0])
            if points is not None:
                loss = loss + weights[1] * place_loss(points, path)
            optimizer["optimizer"].zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(made.parameters(), 1.0)
            optimizer["optimizer"].step()
            optimizer["lr_scheduler"]["scheduler"].step()
            with torch.no_grad():
                for kept, new in zip(average.parameters(), made.parameters(), strict=True):
                    kept.lerp_(new, 1 - AVERAGE)
        with torch.no_grad():
            return {name: average(path.clone()).softmax(dim=1) for name, path in asked.items()}
