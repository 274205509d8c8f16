"""Sample: clips by class, drawn token after token along a planned path, judged by physics."""

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import MeanMetric

from trajvq.augment import ClipSymmetries
from trajvq.errors import UserError
from trajvq.io.video import to_uint8
from trajvq.metrics.reconstruction.codes import bits
from trajvq.metrics.scoreboard import add_ood_ratios
from trajvq.models.generator import Generator
from trajvq.models.rollout import Likelihood
from trajvq.models.sampling import Sampling
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.details import sample_details
from trajvq.tasks.sample_rows import SampleRows, TrackedClips, closest, look, seen_before
from trajvq.tasks.token_task import Batch, TokenTask
from trajvq.tokens.sampling import ANY, sample_clips

SHOWN = 64  # clips of a class in the picture
PARTS = ("trajectory", "appearance", "object", "background")


class Sample(TokenTask):
    """Trains a generator of clips on the tokens of a frozen tokenizer.

    Logs ``train/loss``, ``val/nll`` (bits a clip) and its parts: the planned path, how the object looks,
    the tokens near it, and the rest.
    ``test`` draws clips of every class, none of them filtered, and leaves a scoreboard for every split in
    `scoreboards`, and clips to look at in `shown` and `pairs`.

    Args:
        tokenizer_ckpt: Checkpoint of the tokenizer.
        network: The generator.
        total_steps: Steps until the learning rate has decayed to 0; the trainer's ``max_steps``.
        background_weight: Of the loss of tokens away from the object, of which there are ten times as many.
        background_tokens: Of those, how many random ones of each clip a step looks at; null for all.
        plans: With `ClipSymmetries`, so many random versions of each clip's path teach the planner in a step; without
            it the path itself does.
        samples: Clips of each class that ``test`` draws.
        sample_seed: Of these clips.
        temperature: Of codes; see `trajvq.models.Sampling`, as for the next three.
        top_p: Share of the likeliest codes.
        noise_scale: Of planned points.
        guidance: Weight of the class.
        learning_rate: The peak for vectors, by AdamW; for all weights if ``matrix_learning_rate`` is null.
        matrix_learning_rate: Muon's peak, for matrices.
        warmup_steps: Steps of linear rise to them.
        betas: AdamW's running averages.
        weight_decay: Decoupled decay of matrices.
    """

    task: ClassVar[str] = "sample"
    monitor: ClassVar[str] = "val/nll"

    def __init__(
        self,
        tokenizer_ckpt: str,
        network: Generator,
        total_steps: int,
        background_weight: float = 0.5,
        background_tokens: int | None = 48,
        plans: int = 2,
        samples: int = 1000,
        sample_seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        noise_scale: float = 1.0,
        guidance: float = 1.0,
        learning_rate: float = 3e-3,
        matrix_learning_rate: float | None = 0.02,
        warmup_steps: int = 100,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
    ) -> None:
        weights = (learning_rate, warmup_steps, betas, weight_decay, matrix_learning_rate)
        super().__init__(tokenizer_ckpt, network, total_steps, *weights)
        if plans < 1 or samples < 1:
            raise ValueError(f"model.plans is {plans} and model.samples {samples}; both are at least 1")
        self.background_weight, self.background_tokens, self.plans = background_weight, background_tokens, plans
        self.samples, self.sample_seed = samples, sample_seed
        self.how = Sampling(temperature, top_p, noise_scale, guidance)
        self.test_nll = nn.ModuleDict()
        self.shown: dict[str, NDArray[np.uint8]] = {}  # of the last test, by class: (N, T, 3, H, W)
        self.pairs: list[NDArray[np.uint8]] = []  # those nearest to training clips, and these

    def make(self, layout: TokenLayout, classes: list[str]) -> None:
        """Make the network's layers; see `TokenTask.make`."""
        self.generator.build(layout, len(classes))

    @property
    def generator(self) -> Generator:
        """The network."""
        assert isinstance(self.network, Generator)
        return self.network

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        tokens, label, path = self.data.tokens_of(batch), batch.get("label"), batch.get("tracks")
        seen = batch.get("appearance")
        told, rest = self.generator.token_likelihood(tokens, label, path, seen, self.background_tokens)
        found = Likelihood(self._plan(path, label), self.generator.appearance_likelihood(seen, label), told, rest)
        weighted = (
            found.plan.mean() + found.look.mean() + found.told.mean() + self.background_weight * found.rest.mean()
        )
        loss = self.checked(-weighted / tokens[0].numel())
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def _plan(self, path: Tensor | None, label: Tensor | None) -> Tensor:
        """Return the log-likelihood ``(plans * B,)`` of paths and of others that they could have been."""
        if path is None or not self.generator.plan:
            return torch.zeros(1, device=self.device)
        augment, manifest = self.data.augment, self.data.manifest
        if not isinstance(augment, ClipSymmetries):
            return self.generator.trajectory_likelihood(path, label)
        paths = augment.paths(path.repeat(self.plans, 1, 1), manifest.height, manifest.width)
        return self.generator.trajectory_likelihood(paths, None if label is None else label.repeat(self.plans))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        found = self._likelihood(batch)
        every: dict[str, Any] = {"batch_size": len(batch["tokens"]), "sync_dist": True}
        self.log("val/nll", found.total.mean(), prog_bar=True, **every)
        for name, part in zip(PARTS, found, strict=True):
            self.log(f"val/nll_{name}", part.mean(), **every)

    def on_test_epoch_start(self) -> None:
        self.test_nll = nn.ModuleDict({split: MeanMetric() for split in self.data.test_splits}).to(self.device)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        metric = list(self.test_nll.values())[dataloader_idx]
        metric.update(self._likelihood(batch).total)  # type: ignore[operator]

    def on_test_epoch_end(self) -> None:
        assert self.layout is not None
        data = self.data
        drawn, speed = self._draw()
        real = {split: self._seen(split) for split in {"train", "val", *self.test_nll}}
        rows = SampleRows(real["train"], real["val"], data.clips("val"), self.layout, data.augment)
        self.shown = self._shown(drawn)
        kept = sample_details(drawn.points, drawn.label, self.classes, rows.judge, partial(self._decoded, drawn.tokens))
        for split, metric in self.test_nll.items():
            found, nearest = rows.compute(real[split], drawn)
            found["model"] |= {
                "nll_bits": float(metric.compute()),  # type: ignore[operator]
                "bits": bits(self.layout.tokens, self.layout.codebook_size),
                "clips_per_second": speed,
            }
            judged = {"judge": rows.judge.as_json()} if rows.judge else {}
            self.scoreboards[split] = {"clips": len(drawn.label), "truth": "judged", "rows": found, **judged}
            self.scoreboards[split]["details"] = kept
            self.log(f"{split}/nll", found["model"]["nll_bits"])
        add_ood_ratios({split: board["rows"]["model"] for split, board in self.scoreboards.items()}, "nll_bits")
        self.pairs = self._pairs(drawn, nearest.which, closest(nearest))

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        raise UserError("this task draws clips of no given ones; use `trajvq sample`")

    def _check_data(self) -> None:
        super()._check_data()
        if self.generator.plan and not (self.data.tracks and self.data.eval_tracks):
            raise UserError(
                "the planner learns from places: set data.tracks and data.eval_tracks, or model.network.plan to false"
            )

    def _likelihood(self, batch: Batch) -> Likelihood:
        """Return bits of clips."""
        seen = batch.get("tracks"), batch.get("appearance")
        found = self.generator.log_likelihood(batch["tokens"], batch.get("label"), *seen)
        return Likelihood(*(-part / math.log(2) for part in found))

    def _draw(self) -> tuple[TrackedClips, float]:
        """Draw clips of every class; returns them and how many a second, decoded."""
        labels = list(range(len(self.classes))) or [ANY]
        parts, start = [], time.monotonic()
        for part in sample_clips(self.generator, labels, self.samples, self.sample_seed, self.how):
            self.tokenizer.decode(part.tokens)
            parts.append(part)
        seconds = time.monotonic() - start
        label, tokens = torch.cat([part.label for part in parts]), torch.cat([part.tokens for part in parts])
        return look(self.tokenizer, tokens, label), len(label) / seconds

    def _seen(self, split: str) -> TrackedClips:
        held = self.data.tokens(split)
        count = len(held.tokens) if split != "train" or not self.data.train_clips else self.data.train_clips
        tokens = held.tokens[:count, 0].long()
        label = held.columns.get("label", torch.full((len(held.tokens),), ANY))[:count]
        if split == "train" and "tracks" in held.versioned:  # of these only paths are looked at
            size = torch.tensor([self.data.manifest.width, self.data.manifest.height])
            return seen_before(tokens, label, (held.versioned["tracks"][:count, 0] + 1) / 2 * size)
        return look(self.tokenizer, tokens, label)

    def _decoded(self, tokens: Tensor, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        return to_uint8(self.tokenizer.decode(tokens[rows]))

    def _shown(self, drawn: TrackedClips) -> dict[str, NDArray[np.uint8]]:
        """Return the first clips of every class."""
        names = self.classes or ["any class"]
        rows = {
            name: np.flatnonzero(drawn.label == (k if self.classes else ANY))[:SHOWN] for k, name in enumerate(names)
        }
        return {name: to_uint8(self.tokenizer.decode(drawn.tokens[r])) for name, r in rows.items()}

    def _pairs(self, drawn: TrackedClips, nearest: NDArray[np.int64], rows: Sequence[int]) -> list[NDArray[np.uint8]]:
        """Return the clips nearest to training clips, and these."""
        train = self.data.tokens("train").tokens[nearest[rows], 0].long()
        return [to_uint8(self.tokenizer.decode(tokens)) for tokens in (drawn.tokens[rows], train)]
