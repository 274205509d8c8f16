"""Sample: clips by class, generated from tokens along a sampled trajectory and judged by physics."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import MeanMetric

from trajvq.augment import PathAugmentation
from trajvq.callbacks import PredictionFile, SamplePictures
from trajvq.errors import UserError
from trajvq.io.arrays import Bytes
from trajvq.io.video import to_uint8
from trajvq.metrics.reconstruction.codes import bits
from trajvq.metrics.reconstruction.ideal import TokenCounts
from trajvq.metrics.sampling.memorization import keep_comparable
from trajvq.metrics.scoreboard import add_ood_ratios
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import ANY, Conditions
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.base import Batch
from trajvq.tasks.details import sample_details
from trajvq.tasks.generator_task import GeneratorTask
from trajvq.tasks.sample_scoreboard import SampleScoreboard
from trajvq.tasks.tracked_clips import RealClips, TrackedClips, TrainingClips, shift_of
from trajvq.tokens.sampling import sample_clips

SHEET = 64  # clips of a class in the picture
OWN = Sampling()  # the model's own distribution
DENOISING = 0.1  # weight of the denoiser's loss, which shares no weights with the others
DENOISED = 1024  # tracks that the denoiser learns from in a step, at most; it is small and needs many
ALONG = 0.1  # temperature of codes along a trajectory, which leaves little open


class Sample(GeneratorTask):
    """Train a generator of clips on the tokens of a frozen tokenizer.

    Logs ``train/loss``, ``val/nll`` (bits a clip) and its parts ``val/nll_PART``: the trajectory, the appearance, and
    the tokens. ``test`` samples clips of every class, filters none of them, and leaves a scoreboard for every split in
    `scoreboards` and clips to look at in `samples_by_class` and `closest_pairs`.

    Args:
        class_dropout: Share of clips in training whose class is hidden, for guidance and for clips of any class.
        background_weight: Weight of the loss of background tokens, of which there are ten times as many as others.
        path_versions: Random versions of each track that the trajectory model learns from in a step, where the
            augmentation is a `trajvq.augment.PathAugmentation`; otherwise it learns from the track itself.
        samples: Clips of each class that ``test`` samples.
        sample_seed: Seed of these clips.
        temperature: See `trajvq.models.Sampling`, as for the next three; None for 0.1 along a trajectory, and 1 for
            tokens alone, of which the likeliest show nothing.
        top_p: Probability of the likeliest codes to sample from.
        noise_scale: Of trajectories; 1 where there are none.
        guidance: Weight of the class.
        denoise: Use the denoiser, if the network has one.
        settings: The arguments of `trajvq.tasks.generator_task.GeneratorTask`.
    """

    task: ClassVar[str] = "sample"
    monitor: ClassVar[str | None] = "val/nll"
    monitor_mode: ClassVar[Literal["max", "min"]] = "min"

    def __init__(
        self,
        *,
        class_dropout: float = 0.1,
        background_weight: float = 0.5,
        path_versions: int = 2,
        samples: int = 1000,
        sample_seed: int = 0,
        temperature: float | None = 1.0,
        top_p: float = 1.0,
        noise_scale: float = 1.0,
        guidance: float = 1.0,
        denoise: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if path_versions < 1 or samples < 1:
            raise ValueError(f"model.path_versions is {path_versions} and model.samples {samples}; both are at least 1")
        self.class_dropout, self.background_weight, self.path_versions = class_dropout, background_weight, path_versions
        self.samples, self.sample_seed = samples, sample_seed
        self.sampling = Sampling(ALONG if temperature is None else temperature, top_p, noise_scale, guidance, denoise)
        self.temperature = temperature
        self.test_nll: dict[str, MeanMetric] = {}  # by split
        self.samples_by_class: dict[str, Bytes] = {}  # of the last test, by class: (N, T, 3, H, W)
        self.closest_pairs: Sequence[Bytes] = []  # samples closest to training clips, and these

    def configure_callbacks(self) -> list[L.Callback]:
        return [PredictionFile(), SamplePictures()]

    def build(self, layout: TokenLayout, classes: list[str]) -> None:
        """Create the network's layers; see `TokenTask.build`.

        Raises:
            UserError: If the trajectory model has no density.
        """
        trajectory = self.generator.trajectory_model
        if trajectory is not None and not trajectory.has_density:
            raise UserError(
                f"{type(trajectory).__name__} has no density, which val/nll needs; set model.network.trajectory to "
                "AutoregressiveTrajectory"
            )
        self.generator.build(layout, len(classes))
        if trajectory is None:
            temperature = OWN.temperature if self.temperature is None else self.temperature
            self.sampling = replace(self.sampling, temperature=temperature, noise_scale=OWN.noise_scale)
        if self.generator.denoiser is None:
            self.sampling = replace(self.sampling, denoise=False)
        self.hparams.update(vars(self.sampling))  # `trajvq sample` reads them in the checkpoint

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        tokens, label = self.data.tokens_of(batch), batch.get("label")
        tracks, appearance = batch.get("tracks"), batch.get("appearance")
        conditions = Conditions(self._dropped(label), tracks, appearance, progress=self.progress)
        token_parts = self.generator.token_log_likelihood(tokens, conditions)
        parts: dict[str, Tensor] = {}
        denoising = torch.zeros((), device=tokens.device)
        if self.generator.trajectory is not None and tracks is not None:
            parts["trajectory"], denoising = self._trajectory(tracks, label)
        if self.generator.appearance is not None and appearance is not None:
            parts["appearance"] = self.generator.appearance_log_likelihood(appearance, self._dropped(label))
        weights = {"background": self.background_weight}
        total = sum(weights.get(name, 1.0) * part.mean() for name, part in (parts | token_parts).items())
        assert isinstance(total, Tensor)
        loss = self.checked(-total / tokens[0].numel() + DENOISING * denoising)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def _trajectory(self, tracks: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the log-likelihood ``(versions * B,)`` of tracks ``(B, K, T, 2)``, or of random versions of them.

        Beside it the loss of the denoiser, 0 without one.
        """
        versions = self.path_versions if isinstance(self.data.augment, PathAugmentation) else 1
        likelihood = self.generator.trajectory_log_likelihood(*self._versions(tracks, label, versions))
        if self.generator.denoiser is None:
            return likelihood, torch.zeros_like(likelihood[0])
        versions = max(DENOISED // (tracks.shape[0] * tracks.shape[1]), 1)
        return likelihood, self.generator.denoising_loss(*self._versions(tracks, label, versions))

    def _versions(self, tracks: Tensor, label: Tensor | None, number: int) -> tuple[Tensor, Tensor | None]:
        """Return random versions ``(number * B, K, T, 2)`` of tracks ``(B, K, T, 2)``, and labels of them."""
        tracks = tracks.repeat(number, 1, 1, 1)
        if isinstance(self.data.augment, PathAugmentation):
            manifest = self.data.manifest
            moved = self.data.augment.paths(tracks.flatten(0, 1), manifest.height, manifest.width)
            tracks = moved.view_as(tracks)
        return tracks, self._dropped(None if label is None else label.repeat(number))

    def _dropped(self, label: Tensor | None) -> Tensor | None:
        """Return labels of which a random share is hidden."""
        if label is None:
            return None
        return label.masked_fill(torch.rand(len(label), device=label.device) < self.class_dropout, ANY)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        parts = self._bits(batch)
        settings: dict[str, Any] = {"batch_size": len(batch["tokens"]), "sync_dist": True}
        self.log("val/nll", _total(parts).mean(), prog_bar=True, **settings)
        for name, part in parts.items():
            self.log(f"val/nll_{name}", part.mean(), **settings)

    def on_test_epoch_start(self) -> None:
        self.test_nll = {split: MeanMetric().to(self.device) for split in self.data.test_splits}

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.test_nll[self.data.test_splits[dataloader_idx]].update(_total(self._bits(batch)))

    def on_test_epoch_end(self) -> None:
        samples, speed = self._sample(self.sampling)
        rows = {"model": samples}
        if self.sampling != OWN:
            rows["model_at_1"] = self._sample(OWN)[0]
        val = self._real("val")
        training = self._training_clips(val.matched.most)
        scoreboard = SampleScoreboard(training, val, self._layout, self.data.augment)
        self.samples_by_class = self._sheet(samples)
        details = sample_details(
            scoreboard.objects_of(samples),
            samples.label,
            self.classes,
            scoreboard.physics.judge if scoreboard.physics else None,
            lambda rows: self._decoded(samples, rows),
        )
        for split, metric in self.test_nll.items():
            board = self._board(scoreboard, val if split == "val" else self._real(split), rows, float(metric.compute()))
            board["rows"]["model"]["clips_per_second"] = speed
            self.scoreboards[split] = board | {"clips": len(samples.label), "details": details}
        own = "model_at_1" if "model_at_1" in rows else "model"
        add_ood_ratios({split: board["rows"][own] for split, board in self.scoreboards.items()}, "nll_bits")
        closest, clip, version = scoreboard.closest("model")
        copied = to_uint8(self.tokenizer.decode(training.tokens[clip, version].long()))
        self.closest_pairs = [self._decoded(samples, closest), copied]

    def _board(
        self, scoreboard: SampleScoreboard, real: RealClips, samples: Mapping[str, TrackedClips], nll: float
    ) -> dict[str, Any]:
        """Return the scoreboard of one split."""
        rows, split = scoreboard.compute(real, samples), real.clips.split
        rows["model"]["bits"] = bits(self._layout.tokens, self._layout.codebook_size)
        rows["model"]["bits_ideal"] = min(self._ideal_bits(real.tracked.tokens), rows["model"]["bits"])
        rows[list(samples)[-1]]["nll_bits"] = nll
        self.log(f"{split}/nll", nll)
        physics = scoreboard.physics
        judge = {"judge": physics.judge.as_json()} if physics else {}
        settings = ", ".join(f"{name} {value:g}" for name, value in vars(self.sampling).items() if name != "denoise")
        denoised = ", with denoised tracks" if self.sampling.denoise else ""
        own = ["model_at_1 samples the model's own distribution, with all at 1; nll_bits belongs to it"]
        remarks = [
            f"model is sampled at {settings}{denoised}",
            *(own if len(samples) > 1 else []),
            *scoreboard.remarks(real),
            *keep_comparable(rows, self.trained_on, self.data.training_clips()),
            *self.remarks,
        ]
        return {"truth": "judged", "classes": list(self.classes), "rows": rows, **judge, "remarks": remarks}

    def _ideal_bits(self, tokens: Tensor) -> float:
        """Return the ideal code length of clips by the counts of the training clips, a clip."""
        counts = TokenCounts(self.data.tokens("train", train=True).tokens[:, 0].long(), self._layout.codebook_size)
        return float(counts.code_length(tokens).mean())

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        raise UserError("this task has nothing to predict from given clips; use `trajvq sample`")

    def check_data(self) -> None:
        """Check that the dataset fits the network and batches hold tracks; see `TokenTask.check_data`."""
        super().check_data()
        if self.generator.trajectory is not None and not (self.data.tracks and self.data.eval_tracks):
            raise UserError(
                "the trajectory model learns from tracks: set data.tracks and data.eval_tracks to true, or "
                "model.network.trajectory and model.network.appearance to null"
            )

    def _bits(self, batch: Batch) -> dict[str, Tensor]:
        """Return the negative log-likelihood of clips in bits, by part."""
        conditions = Conditions(batch.get("label"), batch.get("tracks"), batch.get("appearance"))
        parts = self.generator.log_likelihood(batch["tokens"], conditions)
        return {name: -part / math.log(2) for name, part in parts.items()}

    @property
    def _layout(self) -> TokenLayout:
        assert self.layout is not None
        return self.layout

    def _sample(self, sampling: Sampling) -> tuple[TrackedClips, float]:
        """Sample clips of every class; return them, and how many are sampled and decoded a second."""
        labels = list(range(len(self.classes))) or [ANY]
        parts, start = [], time.monotonic()
        for part in sample_clips(self.generator, labels, self.samples, self.sample_seed, sampling):
            self.tokenizer.decode(part.tokens)
            parts.append(part)
        seconds = time.monotonic() - start
        label, tokens = torch.cat([part.label for part in parts]), torch.cat([part.tokens for part in parts])
        return TrackedClips.decoded(self.tokenizer, tokens, label), len(label) / seconds

    def _real(self, split: str) -> RealClips:
        """Return the clips of a split, tracked after decoding."""
        source = self.data.tokens(split)
        label = source.columns.get("label", torch.full((len(source.tokens),), ANY))
        tracked = TrackedClips.decoded(self.tokenizer, source.tokens[:, 0].long(), label)
        return RealClips(self.data.clips(split), tracked)

    def _training_clips(self, most: int) -> TrainingClips:
        """Return all versions of the clips that the generator trains on, of which none has more objects than `most`."""
        source = self.data.tokens("train", train=True)
        label = source.columns.get("label", torch.full((len(source.tokens),), ANY)).numpy()
        tracks = source.versioned.get("tracks")
        moves = tracks is not None or not self.data.cache_tokens  # tracks, or whole clips in each step
        shift = shift_of(self.data.augment) if moves else 0.0
        if tracks is None or most > 1:  # tracks of training are those of a few objects that most frames show
            return TrainingClips.decoded(self.tokenizer, source.tokens, label, most, shift)
        size = torch.tensor([self.data.manifest.width, self.data.manifest.height])
        return TrainingClips.of_single(source.tokens, label, ((tracks[:, :, 0].double() + 1) / 2 * size).numpy(), shift)

    def _decoded(self, clips: TrackedClips, rows: NDArray[np.int64] | Sequence[int]) -> Bytes:
        return to_uint8(self.tokenizer.decode(clips.tokens[rows]))

    def _sheet(self, samples: TrackedClips) -> dict[str, Bytes]:
        """Return the first samples of every class."""
        ids = dict(enumerate(self.classes)) or {ANY: "any class"}
        return {
            name: self._decoded(samples, np.flatnonzero(samples.label == label)[:SHEET]) for label, name in ids.items()
        }


def _total(parts: dict[str, Tensor]) -> Tensor:
    """Return the sum of all parts ``(B,)``."""
    total = sum(parts.values())
    assert isinstance(total, Tensor)
    return total
