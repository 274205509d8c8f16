"""Classifiers of tracks: the classify task's own network trained on tracks, with the same trainer and budget.

They are rows of scoreboards: what the network would reach if it knew the true tracks, and what sampled tracks teach.

B clips, T frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from trajvq.augment import PathAugmentation
from trajvq.callbacks import StepSeeds
from trajvq.data.order import Batching, TrainingOrder
from trajvq.models.classifier import Classifier
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.base import Batch, Task


def class_loss(logits: Tensor, label: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Return cross-entropy and accuracy of logits ``(B, classes)`` over the labels that are not -1."""
    labeled = label >= 0
    count = labeled.sum().clamp(min=1)
    loss = F.cross_entropy(logits, label, ignore_index=-1, label_smoothing=smoothing, reduction="sum") / count
    return loss, ((logits.detach().argmax(dim=1) == label) & labeled).sum() / count


def track_loss(points: Tensor, tracks: Tensor) -> Tensor:
    """Return the mean distance along x and y of points ``(B, T, 2)`` from tracks, gaps (NaN) left out."""
    present = tracks.isfinite()
    return ((points - tracks.nan_to_num()).abs() * present).sum() / present.sum().clamp(min=1)


@dataclass(frozen=True)
class TrackTraining:
    """How a classifier of tracks is trained.

    Attributes:
        steps: Training steps.
        batch_size: Clips a step; at most the number of clips.
        learning_rate: See `trajvq.tasks.base.Task`, as for the next three.
        warmup_steps: Steps of linear rise.
        betas: Decay rates of AdamW's running averages.
        weight_decay: Decoupled weight decay.
        label_smoothing: Share of the target that all classes get alike.
        tracks_weight: Of the distance of the network's points from the track.
        average: Decay rate of the moving average of weights; None for none.
        clip: Largest norm of the gradient; None for any.
        precision: Of the trainer.
        seed: Of weights, order and augmentation.
    """

    steps: int
    batch_size: int = 128
    learning_rate: float = 3e-3
    warmup_steps: int = 50
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    tracks_weight: float = 0.0
    average: float | None = 0.99
    clip: float | None = 1.0
    precision: Any = "32-true"
    seed: int = 0

    @classmethod
    def of(cls, trainer: L.Trainer, **settings: Any) -> "TrackTraining":
        """Return the settings with averaging, clipping and precision of a trainer."""
        averages = [c for c in trainer.callbacks if isinstance(c, EMAWeightAveraging)]  # type: ignore[attr-defined]
        average = None
        if averages:  # it keeps a function, not the rate: ask it what is left of a 1 after one 0
            average = round(float(averages[0]._kwargs["avg_fn"](torch.ones(()), torch.zeros(()), 1)), 6)
        clip, precision = trainer.gradient_clip_val, trainer.precision
        return cls(**settings, average=average, clip=None if clip is None else float(clip), precision=precision)


class Tracks(Dataset[Batch]):
    """Tracks and labels in memory; an item is a whole batch, asked for by its rows."""

    def __init__(self, tracks: Tensor, label: Tensor) -> None:
        self.tracks, self.label = tracks, label

    def __getitem__(self, rows: list[int]) -> Batch:
        return {"tracks": self.tracks[rows], "label": self.label[rows]}


class TrackClassifier(Task):
    """Trains a classifier on tracks.

    Args:
        network: The classifier, built for points.
        training: Settings.
        augment: Symmetries that tracks go through, too; None for none.
        height: Of the picture in pixels.
        width: Of the picture in pixels.
    """

    task: ClassVar[str] = "tracks"

    def __init__(
        self, network: Classifier, training: TrackTraining, augment: nn.Module | None, height: int, width: int
    ) -> None:
        rates = (training.learning_rate, training.warmup_steps, training.betas, training.weight_decay)
        super().__init__(training.steps, *rates)
        self.network, self.training_settings = network, training
        self.augment, self.height, self.width = augment, height, width

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        tracks, settings = batch["tracks"], self.training_settings
        if isinstance(self.augment, PathAugmentation):
            tracks = self.augment.paths(tracks, self.height, self.width)
        logits, points = self.network.read(tracks)
        loss, _ = class_loss(logits, batch["label"], settings.label_smoothing)
        if points is not None:
            loss = loss + settings.tracks_weight * track_loss(points, tracks)
        return self.checked(loss)


def classify_tracks(
    network: Classifier,
    layout: TokenLayout,
    classes: int,
    train: tuple[Tensor, Tensor],
    targets: Mapping[str, Tensor],
    training: TrackTraining,
    augment: nn.Module | None = None,
    size: tuple[int, int] = (64, 64),
) -> dict[str, Tensor]:
    """Train a classifier on tracks and return its class probabilities for other tracks.

    Args:
        network: Settings of the classifier; it is left as it is.
        layout: Of the tokens that the tracks replace.
        classes: Number of classes.
        train: Tracks float ``(N, T, 2)``, x and y from -1 to 1 between the edges, and their labels.
        targets: Tracks ``(M, T, 2)`` by name.
        training: Settings.
        augment: The augmentation of clips; a `PathAugmentation` moves tracks, too.
        size: Height and width of the picture in pixels.

    Returns:
        float ``(M, classes)`` for each of the targets.
    """
    tracks, label = (part.clone() for part in train)
    batching = Batching(1, min(training.batch_size, len(tracks)))
    order = TrainingOrder(len(tracks), batching, training.steps, seed=training.seed)
    loader = DataLoader(Tracks(tracks, label), sampler=order, batch_size=None)
    callbacks: list[L.Callback] = [StepSeeds(training.seed)]
    if training.average is not None:
        callbacks.append(EMAWeightAveraging(decay=training.average))
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng():
        torch.manual_seed(training.seed)
        fresh = type(network)(**{name: getattr(network, name) for name in network.settings()})
        fresh.build(layout, classes, points=True)
        task = TrackClassifier(fresh, training, augment, *size)
        trainer = L.Trainer(
            accelerator="cpu",
            devices=1,
            plugins=[LightningEnvironment()],  # alone in its process, whatever launched the others
            max_steps=training.steps,
            gradient_clip_val=training.clip,
            precision=training.precision,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(task, loader)
        with torch.no_grad():
            return {name: fresh.eval()(target.clone()).softmax(dim=1) for name, target in targets.items()}
