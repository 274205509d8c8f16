"""Classify: the class of a clip from its tokens, beside what pixels, physics and the true track say."""

from typing import Any, ClassVar, Literal

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trajvq.callbacks import ConfusionPicture, PredictionTable
from trajvq.errors import UserError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.classification.accuracy import ClassPredictions, class_figures
from trajvq.metrics.classification.baselines import ClassificationBaselines, of_clips, true_paths
from trajvq.metrics.details import ClipDetails, clip_facts, clips_to_keep
from trajvq.metrics.judge import NONE, confusion
from trajvq.metrics.scoreboard import add_ood_ratios
from trajvq.models.classifier import Classifier
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.base import Batch
from trajvq.tasks.token_task import TokenTask
from trajvq.tasks.tracks import TrackTraining, class_loss, classify_tracks, track_loss
from trajvq.tokens.tracks import as_path

Predictions = dict[str, Tensor]
UNIDENTIFIABLE = "accuracy_identifiable is left out: no clip has a motion that determines its class"


class Classify(TokenTask):
    """Train a classifier on the tokens of a frozen tokenizer.

    Logs ``train/loss``, ``train/accuracy``, ``val/loss`` and ``val/accuracy``. ``test`` leaves a scoreboard for every
    split in `scoreboards`.

    A classifier that learns from class labels alone both what tokens mean and what motions are memorizes its clips.
    So where batches hold ``tracks``, which the token cache gets by decoding and tracking the tokens, without labels
    and without the truth, the network's points learn to be these tracks, where there are several objects that of the
    largest. Clips with label -1 teach only that.

    Args:
        tokenizer_ckpt: Checkpoint of the tokenizer.
        network: The classifier.
        label_smoothing: Share of the target that all classes get alike.
        tracks_weight: Of the mean distance of points from tracks, in half frames, beside the cross-entropy.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Decoupled weight decay.
        settings: The other arguments of `trajvq.tasks.token_task.TokenTask`.
    """

    task: ClassVar[str] = "classify"
    monitor: ClassVar[str | None] = "val/accuracy"
    monitor_mode: ClassVar[Literal["max", "min"]] = "max"

    def __init__(
        self,
        tokenizer_ckpt: str,
        network: Classifier,
        label_smoothing: float = 0.1,
        tracks_weight: float = 30.0,
        learning_rate: float = 4e-3,
        weight_decay: float = 0.05,
        **settings: Any,
    ) -> None:
        rates = {"learning_rate": learning_rate, "weight_decay": weight_decay}
        super().__init__(tokenizer_ckpt, network, **rates, **settings)
        self.label_smoothing, self.tracks_weight = label_smoothing, tracks_weight
        self.val_predictions = ClassPredictions()
        self.test_predictions: dict[str, ClassPredictions] = {}  # by split
        self.confusion: dict[str, NDArray[np.int64]] = {}  # of the last validation or test, by split

    def configure_callbacks(self) -> list[L.Callback]:
        return [PredictionTable(), ConfusionPicture()]

    @property
    def classifier(self) -> Classifier:
        """The network."""
        assert isinstance(self.network, Classifier)
        return self.network

    def build(self, layout: TokenLayout, classes: list[str]) -> None:
        """Create the network's layers; see `TokenTask.build`. To predict, clips need no classes: a checkpoint has them.

        Raises:
            UserError: If the dataset has fewer than two classes.
        """
        if len(classes) < 2:
            if self._predicts:
                return
            raise UserError(
                f"there is nothing to classify: the dataset has {len(classes)} classes; import it with a label or a "
                "folder for each class"
            )
        self.classifier.build(layout, len(classes))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits ``(B, classes)`` of tokens int64 ``(B, t, h, w)``."""
        logits: Tensor = self.classifier(tokens)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        logits, points = self.classifier.read(self.data.tokens_of(batch))
        loss, accuracy = class_loss(logits, batch["label"], self.label_smoothing)
        if points is not None and "tracks" in batch:
            loss = loss + self.tracks_weight * track_loss(points, batch["tracks"][:, 0])
        self.log("train/loss", self.checked(loss), prog_bar=True)
        self.log("train/accuracy", accuracy, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["tokens"])
        self.log("val/loss", F.cross_entropy(logits, batch["label"]), batch_size=len(logits))
        self._collect(self.val_predictions, batch, logits)

    def on_validation_epoch_end(self) -> None:
        predictions = self.val_predictions.sorted_by_clip()
        predicted, label = predictions["probability"].argmax(dim=1), predictions["label"]
        self.confusion = {"val": confusion(label.numpy(), predicted.numpy(), len(self.classes))}
        self.log("val/accuracy", (predicted == label).float().mean(), prog_bar=True)
        self.val_predictions.reset()

    def on_test_epoch_start(self) -> None:
        self.test_predictions = {split: ClassPredictions().to(self.device) for split in self.data.test_splits}

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        split = self.data.test_splits[dataloader_idx]
        self._collect(self.test_predictions[split], batch, self(batch["tokens"]))

    def on_test_epoch_end(self) -> None:
        predictions = {split: collector.sorted_by_clip() for split, collector in self.test_predictions.items()}
        rows = self._baselines(predictions)
        models = {split: self._figures(part, part["probability"]) for split, part in predictions.items()}
        add_ood_ratios(models, "accuracy")
        for split, part in predictions.items():
            rows[split]["model"] = model = models[split]
            self.confusion[split] = np.array(model["confusion"])
            self.scoreboards[split] = {
                "clips": len(part["label"]),
                "truth": "stored",
                "classes": list(self.classes),
                "rows": rows[split],
                "remarks": [*self.remarks, *([] if part["identifiable"].any() else [UNIDENTIFIABLE])],
                "details": self._details(split, part),
            }
            self.log(f"{split}/accuracy", model["accuracy"]["value"])

    def _details(self, split: str, predictions: Predictions) -> ClipDetails:
        """Return the surprise of the true class for every clip, and the worst and the first clips."""
        clips, index = self.data.clips(split), predictions["index"].numpy()
        probability, label = predictions["probability"], predictions["label"]
        predicted = probability.argmax(dim=1)
        surprise = -probability.gather(1, label[:, None])[:, 0].clamp(min=1e-6).log()
        details = ClipDetails(
            index,
            {"surprise": surprise.numpy(), "wrong": (predicted != label).float().numpy()},
            clip_facts(clips.columns, index) | {"answer": predicted.numpy()},
            classes=self.classes,
        )
        details.kept = clips_to_keep(details.figures["surprise"])
        target = clips.batch(index[details.kept].tolist())["video"]
        decoded = self.tokenizer.decode(self.tokenizer.encode(to_float(target.to(self.device))))
        details.clips = {"target": target.numpy(), "decoded": to_uint8(decoded)}
        return details

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        probability = self(batch["tokens"]).softmax(dim=1)
        label = {"label": batch["label"]} if "label" in batch else {}
        return {"index": batch["index"], **label, "answer": probability.argmax(dim=1), "probability": probability}

    def check_data(self) -> None:
        """Check that the dataset fits the network and, unless it is to be predicted, has labels."""
        super().check_data()
        clips = self.data.clips(next(iter(self.data.manifest.splits)))
        if "label" not in clips.columns and not self._predicts:
            raise UserError(f"{self.data.path} has no labels; import it with a label or a folder for each class")

    def check_classes(self) -> None:
        """Check the dataset's classes, if it has any to predict; see `TokenTask.check_classes`."""
        if self.data.manifest.classes or not self._predicts:
            super().check_classes()

    @property
    def _predicts(self) -> bool:
        return self._trainer is not None and self.trainer.state.fn == "predict"

    def _collect(self, collector: ClassPredictions, batch: Batch, logits: Tensor) -> None:
        identifiable = batch["identifiable"].any(dim=1) if "identifiable" in batch else None
        collector.update(logits.softmax(dim=1), batch["label"], batch["index"], identifiable)

    def _figures(self, predictions: Predictions, probability: Tensor) -> dict[str, Any]:
        predicted = probability.argmax(dim=1).masked_fill((probability == 0).all(dim=1), NONE)
        return class_figures(predictions["label"], predicted, self.classes, predictions["identifiable"], probability)

    def _baselines(self, predictions: dict[str, Predictions]) -> dict[str, dict[str, Any]]:
        """Return the figures of every row but the model's, by split."""
        data = self.data
        clips = {split: data.clips(split) for split in {"train", "val", *predictions}}
        train = clips["train"]
        count = min(data.labeled or len(train), data.train_clips or len(train), len(train))
        rows = ClassificationBaselines(clips, self.classes, count).compute(predictions)
        if "pixel" not in train.columns:
            return rows
        assert self.layout is not None
        _, _, height, width = train.shape
        training = TrackTraining.of(
            self.trainer,
            steps=self.total_steps,
            batch_size=data.batch_size,
            learning_rate=self.learning_rate,
            warmup_steps=self.warmup_steps,
            betas=self.betas,
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
            tracks_weight=self.tracks_weight if data.tracks else 0.0,
            seed=data.seed,
        )
        paths, clip = true_paths(train, torch.arange(count))
        targets = {split: true_paths(clips[split], part["index"]) for split, part in predictions.items()}
        probability = classify_tracks(
            self.classifier,
            self.layout,
            len(self.classes),
            (as_path(paths, height, width), train.columns["label"][clip]),
            {split: as_path(target, height, width) for split, (target, _) in targets.items()},
            training,
            data.augment if data.training_clips()["versions"] != 1 else None,
            (height, width),
        )
        for split, part in predictions.items():
            answer = of_clips(probability[split], targets[split][1], len(part["index"]))
            rows[split]["true_path"] = self._figures(part, answer)
        return rows
