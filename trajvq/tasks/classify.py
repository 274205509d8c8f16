"""Classify: the class of a clip from its tokens, beside what pixels, physics and the true path say."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.errors import UserError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.classification.accuracy import ClassAnswers, class_figures, confusion_matrix
from trajvq.metrics.classification.rows import ClassRows
from trajvq.metrics.details import ClipDetails, clip_facts, clips_to_show
from trajvq.metrics.scoreboard import add_ood_ratios
from trajvq.models.classifier import Classifier
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.token_task import Batch, TokenTask
from trajvq.tasks.true_path import class_loss, path_of, place_loss, true_path_answers


class Classify(TokenTask):
    """Trains a classifier on the tokens of a frozen tokenizer.

    Logs ``train/loss``, ``train/accuracy``, ``val/loss`` and ``val/accuracy``. ``test`` leaves a scoreboard for
    every split in `scoreboards`.

    Tokens are hard to read, motions are not: a classifier that learns both from the class alone memorises. So
    where batches hold ``places``, which `trajvq.tokens.cache` gets from the tokens by their own decoder, without
    labels and without truth, the network's points are taught to be those. Clips whose label is -1 teach only that.

    Args:
        tokenizer_ckpt: Checkpoint of the tokenizer.
        network: The classifier.
        total_steps: Steps until the learning rate has decayed to 0; the trainer's ``max_steps``.
        label_smoothing: Share of the target given to all classes alike.
        tracks_weight: Of the mean distance of points from places, in half frames, beside the cross-entropy.
        learning_rate: Its peak.
        warmup_steps: Steps of linear rise to it.
        betas: AdamW's running averages.
        weight_decay: AdamW's weight decay.
    """

    task: ClassVar[str] = "classify"
    monitor: ClassVar[str] = "val/accuracy"

    def __init__(
        self,
        tokenizer_ckpt: str,
        network: Classifier,
        total_steps: int,
        label_smoothing: float = 0.1,
        tracks_weight: float = 30.0,
        learning_rate: float = 4e-3,
        warmup_steps: int = 100,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.05,
    ) -> None:
        super().__init__(tokenizer_ckpt, network, total_steps, learning_rate, warmup_steps, betas, weight_decay)
        self.label_smoothing, self.tracks_weight = label_smoothing, tracks_weight
        self.val_answers = ClassAnswers()
        self.test_answers = nn.ModuleDict()
        self.confusion: dict[str, Tensor] = {}  # of the last validation or test, by split

    def make(self, layout: TokenLayout, classes: list[str]) -> None:
        """Make the network's layers; see `TokenTask.make`.

        Raises:
            UserError: If the dataset has fewer than two classes.
        """
        if len(classes) < 2:
            raise UserError(f"there is nothing to classify: the dataset has {len(classes)} classes")
        assert isinstance(self.network, Classifier)
        self.network.build(layout, len(classes))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits ``(B, classes)`` of tokens int64 ``(B, t, h, w)``."""
        logits: Tensor = self.network(tokens)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        assert isinstance(self.network, Classifier)
        logits, points = self.network.read(self.data.tokens_of(batch))
        loss, accuracy = class_loss(logits, batch["label"], self.label_smoothing)
        if points is not None and "tracks" in batch:
            loss = loss + self.tracks_weight * place_loss(points, batch["tracks"])
        self.log("train/loss", self.checked(loss), prog_bar=True)
        self.log("train/accuracy", accuracy, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["tokens"])
        self.log("val/loss", F.cross_entropy(logits, batch["label"]), batch_size=len(logits))
        self._collect(self.val_answers, batch, logits)

    def on_validation_epoch_end(self) -> None:
        found = self.val_answers.compute()
        answer, label = found["probability"].argmax(dim=1), found["label"]
        self.confusion = {"val": confusion_matrix(label, answer, len(self.classes))}
        self.log("val/accuracy", (answer == label).float().mean(), prog_bar=True)
        self.val_answers.reset()

    def on_test_epoch_start(self) -> None:
        self.test_answers = nn.ModuleDict({split: ClassAnswers() for split in self.data.test_splits}).to(self.device)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        answers = list(self.test_answers.values())[dataloader_idx]
        assert isinstance(answers, ClassAnswers)
        self._collect(answers, batch, self(batch["tokens"]))

    def on_test_epoch_end(self) -> None:
        asked: dict[str, dict[str, Tensor]] = {}
        for split, answers in self.test_answers.items():
            assert isinstance(answers, ClassAnswers)
            asked[split] = answers.compute()
        rows = self._rows(asked)
        models = {split: self._figures(found, found["probability"]) for split, found in asked.items()}
        add_ood_ratios(models, "accuracy")
        for split, found in asked.items():
            rows[split]["model"] = model = models[split]
            self.confusion[split] = torch.tensor(model["confusion"])
            self.scoreboards[split] = {
                "clips": len(found["label"]),
                "truth": "stored",
                "rows": rows[split],
                "details": self._details(split, found),
            }
            self.log(f"{split}/accuracy", model["accuracy"]["value"])

    def _details(self, split: str, found: dict[str, Tensor]) -> ClipDetails:
        """Return how sure of the wrong class the model was of every clip, and the worst and the first clips."""
        clips, index = self.data.clips(split), found["index"].numpy()
        probability, label = found["probability"], found["label"]
        answer = probability.argmax(dim=1)
        surprise = -probability.gather(1, label[:, None])[:, 0].clamp(min=1e-6).log()
        details = ClipDetails(
            index,
            {"surprise": surprise.numpy(), "wrong": (answer != label).float().numpy()},
            clip_facts(clips.columns, index) | {"answer": answer.numpy()},
            classes=self.classes,
        )
        details.shown = clips_to_show(details.figures["surprise"])
        shown = clips.batch(index[details.shown].tolist())["video"]
        decoded = self.tokenizer.decode(self.tokenizer.encode(to_float(shown.to(self.device))))
        details.clips = {"target": shown.numpy(), "decoded": to_uint8(decoded)}
        return details

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        probability = self(batch["tokens"]).softmax(dim=1)
        known = {"label": batch["label"]} if "label" in batch else {}
        return {"index": batch["index"], **known, "answer": probability.argmax(dim=1), "probability": probability}

    def _check_data(self) -> None:
        super()._check_data()
        clips = self.data.clips(next(iter(self.data.manifest.splits)))
        if "label" not in clips.columns:
            raise UserError(f"{self.data.path} has no labels; import it with a label or a folder for each class")

    def _collect(self, answers: ClassAnswers, batch: Batch, logits: Tensor) -> None:
        answers.update(logits.softmax(dim=1), batch["label"], batch["index"], batch.get("identifiable"))

    def _figures(self, found: dict[str, Tensor], probability: Tensor) -> dict[str, Any]:
        answer = probability.argmax(dim=1)
        return class_figures(found["label"], answer, self.classes, found["identifiable"], probability)

    def _rows(self, asked: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, Any]]:
        """Return the figures of every row but the model's, by split."""
        data = self.data
        clips = {split: data.clips(split) for split in {"train", "val", *asked}}
        rows = ClassRows(clips, self.classes, data.labelled or data.train_clips).compute(asked)
        train, network = clips["train"], self.network
        if "pixel" not in train.columns:
            return rows
        assert isinstance(network, Classifier)
        assert self.layout is not None
        count = min(data.labelled or len(train), data.train_clips or len(train), len(train))
        answers = true_path_answers(
            network,
            self.layout,
            len(self.classes),
            train,
            count,
            {split: path_of(clips[split], found["index"]) for split, found in asked.items()},
            data.augment if data.versions > 1 or not data.cache_tokens else None,
            self.total_steps,
            data.batch_size,
            (self.label_smoothing, self.tracks_weight if data.tracks else 0.0),
            data.seed,
            (self.learning_rate, self.warmup_steps, self.betas, self.weight_decay),
        )
        for split, found in asked.items():
            rows[split]["true_path"] = self._figures(found, answers[split])
        return rows
