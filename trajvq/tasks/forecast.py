"""Forecast: predict the next frames of a clip from its first ones, and measure how good that is."""

import hashlib
import time
from dataclasses import replace
from typing import Any, ClassVar, Literal

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajvq.augment import path_symmetries
from trajvq.callbacks import ForecastPictures, PredictionFile
from trajvq.errors import UserError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.forecast.errors import forecast_figures
from trajvq.metrics.forecast.predictions import ForecastPredictions
from trajvq.metrics.forecast.scoreboard import forecast_remarks, forecast_rows
from trajvq.metrics.scoreboard import add_ood_ratios, value_of
from trajvq.metrics.tracking import track
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import Conditions
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.base import Batch
from trajvq.tasks.details import forecast_details
from trajvq.tasks.forecast_targets import ForecastTargets, baselines_of
from trajvq.tasks.generator_task import GeneratorTask
from trajvq.tokens.tracks import as_appearance, as_path, tracks_in

GREEDY = Sampling(temperature=0.0, noise_scale=0.0)


class Forecast(GeneratorTask):
    """Train a forecaster on the tokens of a frozen tokenizer; it does not know the class of a clip.

    Logs ``train/loss``, ``train/path``, ``train/token`` and ``val/ade``. ``test`` leaves a scoreboard for every split
    in `scoreboards`. A forecaster sees the context alone: its frames are encoded without the others.

    Args:
        context: Frames given in validation, test and prediction; a multiple of the frames of a token.
        horizon: Frames predicted; the same.
        samples: K, sampled for each clip in the test; 0 for none.
        temperature: Of the tokens of samples.
        noise_scale: Of the tracks of samples, relative to what was learned.
        val_clips: Clips predicted in validation; None for all.
        paths: Tracks a step that the trajectory model learns from: those of training clips, moved as the clips'
            symmetries allow; turned by any angle if they have all.
        paths_weight: Weight of the trajectory model's loss beside that of tokens.
        path_noise_std: Noise in px added to tracks that tokens are conditioned on, since predicted ones are not exact.
        settings: The arguments of `trajvq.tasks.generator_task.GeneratorTask`.
    """

    task: ClassVar[str] = "forecast"
    test_needs: ClassVar[tuple[str, ...]] = ("val",)
    monitor: ClassVar[str | None] = "val/ade"
    monitor_mode: ClassVar[Literal["max", "min"]] = "min"

    def __init__(
        self,
        *,
        context: int = 8,
        horizon: int = 8,
        samples: int = 20,
        temperature: float = 1.0,
        noise_scale: float = 1.0,
        val_clips: int | None = None,
        paths: int = 512,
        paths_weight: float = 10.0,
        path_noise_std: float = 0.1,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.context, self.horizon, self.samples, self.val_clips = context, horizon, samples, val_clips
        self.sampling = Sampling(temperature=temperature, noise_scale=noise_scale)
        self.paths, self.paths_weight, self.path_noise_std = paths, paths_weight, path_noise_std
        self.tracker = track
        self.timing = np.zeros(2)  # clips predicted greedily in this test, and seconds
        self.val_predictions = ForecastPredictions()
        self.test_predictions: dict[str, ForecastPredictions] = {}  # by split
        self.tracks: dict[str, dict[str, NDArray[Any]]] = {}  # of the last test's objects, by split, for pictures

    def configure_callbacks(self) -> list[L.Callback]:
        return [PredictionFile(), ForecastPictures()]

    def build(self, layout: TokenLayout, classes: list[str]) -> None:
        """Create the network's layers; see `TokenTask.build`.

        Raises:
            UserError: If context or horizon are no whole latent frames, or clips are a single latent frame long.
        """
        for name in ("context", "horizon"):
            frames = getattr(self, name)
            if frames < 1 or frames % layout.frames:
                raise UserError(f"model.{name} is {frames}; a token covers {layout.frames} frames, give a multiple")
        if layout.grid[0] < 2:
            raise UserError(f"clips of {layout.frames} frames are a single token long: there is nothing to predict")
        if self.generator.denoiser is not None:
            raise UserError("a forecast begins with a context, which network.denoiser is not for; set it to null")
        self.generator.build(layout, 0)

    def forward(
        self,
        tokens: Tensor,
        index: Tensor,
        sampling: Sampling = GREEDY,
        number: int = 0,
        conditions: Conditions | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Predict how clips continue.

        Args:
            tokens: int64 ``(B, s, h, w)`` of the context.
            index: int64 ``(B,)`` numbers of the clips; random numbers depend on them and on ``number`` alone.
            sampling: Temperature and the like.
            number: Of the sample.
            conditions: Tracks and appearances in the context, which several samples share; None to find them.

        Returns:
            Clips float ``(B, 3, F, H, W)`` from their first frame on, and their tokens.
        """
        assert self.layout is not None
        frames = tokens.shape[1] + self.horizon // self.layout.frames
        generators = [torch.Generator().manual_seed(seed_of(int(clip), number)) for clip in index]
        if conditions is None:
            conditions = self._conditions(tokens)
        predicted = self.generator.generate(tokens, frames, conditions, sampling, generators).tokens
        return self.tokenizer.decode(predicted), predicted

    def _conditions(self, tokens: Tensor) -> Conditions:
        """Return tracks and appearances of the objects in clips, given as tokens ``(B, s, h, w)``."""
        if self.generator.trajectory is None:
            return Conditions()
        video = self.tokenizer.decode(tokens)
        height, width = video.shape[-2:]
        objects = tracks_in(video, self.tracker, self.generator.count)
        appearance = as_appearance(objects, width) if self.generator.appearance is not None else None
        return Conditions(tracks=as_path(objects[..., :2], height, width), appearance=appearance)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        assert self.layout is not None
        length, h, w = self.layout.grid
        conditions, path_loss = Conditions(context=1, progress=self.progress), torch.zeros((), device=self.device)
        if self.generator.trajectory is not None:
            path_loss, tracks = self._path_loss(batch)
            conditions = replace(conditions, tracks=tracks, appearance=batch.get("appearance"))
        parts = self.generator.token_log_likelihood(self.data.tokens_of(batch), conditions)
        total = sum(part.mean() for part in parts.values())
        token_loss = -total / ((length - 1) * h * w)
        assert isinstance(token_loss, Tensor)
        loss = token_loss + self.paths_weight * path_loss
        self.log("train/loss", self.checked(loss), prog_bar=True)
        self.log("train/path", path_loss, prog_bar=True)
        self.log("train/token", token_loss, prog_bar=True)
        return loss

    def _path_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the trajectory model's loss on random tracks, and the tracks that the batch's tokens are told along.

        The latter are noisy, since predicted ones are not exact.
        """
        assert self.layout is not None
        pool = self.data.tokens("train", train=True).versioned.get("tracks")
        if pool is None or "tracks" not in batch:
            raise UserError("a forecaster learns from tracks: set data.tracks and data.cache_tokens to true")
        pool, manifest = pool.flatten(0, 2), self.data.manifest
        visible = pool.isfinite().any(dim=-1).any(dim=-1)  # clips may have fewer objects
        pool = pool[visible] if visible.any() else pool
        pool = pool[torch.randint(len(pool), (self.paths,))].to(self.device)
        paths = path_symmetries(self.data.augment).paths(pool, manifest.height, manifest.width)
        context = self.layout.frames * torch.randint(1, self.layout.grid[0], (len(paths),), device=self.device)
        tracks = batch["tracks"]
        pixel = tracks.new_tensor([2 / manifest.width, 2 / manifest.height])
        noise = torch.randn_like(tracks) * pixel
        loss = self.generator.trajectory_loss(paths, context)
        return loss, tracks + self.path_noise_std * noise

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        if self.val_clips is not None:
            chosen = batch["index"] < self.val_clips
            batch = {name: value[chosen] for name, value in batch.items()}
        if len(batch["index"]):
            predicted, _ = self(batch["tokens"], batch["index"])
            rows = {"model": to_uint8(predicted[:, :, self.context :])}
            self.val_predictions.update(self._targets("val", batch["index"]).compare(rows))

    def on_validation_epoch_end(self) -> None:
        predictions = self.val_predictions.compute()
        truth, valid = (predictions[name][:, self.context :] for name in ("truth", "valid"))
        figures = forecast_figures(truth, valid, predictions["model/pixel"], predictions["clip"])
        if not figures:
            raise UserError(
                f"no object moves in frames {self.context} to {self.context + self.horizon - 1} of any clip of "
                f"{self.data.path} val that is predicted; give data in which one does, or other model.val_clips"
            )
        self.log("val/ade", value_of(figures["ade"]), prog_bar=True)
        self.val_predictions.reset()

    def on_test_epoch_start(self) -> None:
        self.timing = np.zeros(2)
        self.test_predictions = {split: ForecastPredictions().to(self.device) for split in self.data.test_splits}

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        split = self.data.test_splits[dataloader_idx]
        tokens, index, targets = batch["tokens"], batch["index"], self._targets(split, batch["index"])
        start = time.monotonic()
        conditions = self._conditions(tokens)
        predicted, _ = self(tokens, index, conditions=conditions)
        self.timing += np.array([len(index), time.monotonic() - start])
        rows = targets.frames_of_baselines() | {"model": to_uint8(predicted[:, :, self.context :])}
        compared = targets.compare(rows) | targets.sources(self.tokenizer.decode(tokens))
        sampled = (self(tokens, index, self.sampling, number, conditions)[0] for number in range(1, self.samples + 1))
        samples = targets.samples(to_uint8(video[:, :, self.context :]) for video in sampled)
        self.test_predictions[split].update(compared | samples)

    def on_test_epoch_end(self) -> None:
        batches = torch.split(torch.arange(len(self.data.clips("val"))), self.data.eval_batch_size)
        baselines = baselines_of(self.data, (self._targets("val", index) for index in batches), self.classes)
        boards, numbers, remarks = {}, {}, {}
        for split, collector in self.test_predictions.items():
            predictions = collector.compute()
            numbers[split] = predictions["index"]
            remarks[split] = forecast_remarks(baselines, predictions, self.context)
            boards[split], positions = forecast_rows(baselines, split, predictions, self.context)
            names = ("clip", "object", "truth", "valid", "tracked", "samples", "label")
            self.tracks[split] = positions | {name: predictions[name] for name in names if name in predictions}
        add_ood_ratios({split: rows["model"] for split, rows in boards.items()}, "ade")
        for split, rows in boards.items():
            clips, tracks = self.data.clips(split), self.tracks[split]
            rows["model"]["clips_per_second"] = float(self.timing[0] / max(self.timing[1], 1e-9))
            self.scoreboards[split] = {
                "clips": len(numbers[split]),
                "truth": "stored" if "pixel" in clips.columns else "tracked",
                "context": self.context,
                "horizon": self.horizon,
                "rows": rows,
                "remarks": [*remarks[split], *self.remarks],
                "details": forecast_details(clips, tracks, numbers[split], self.context, self._predict),
            }
            if "ade" in rows["model"]:
                self.log(f"{split}/ade", value_of(rows["model"]["ade"]))

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        clips = self.data.clips(self.data.predict_split)
        video = to_float(clips.batch(batch["index"].tolist())["video"]).to(self.device)
        predicted, tokens = self(batch["tokens"], batch["index"])
        context = min(self.context, video.shape[2])
        predicted = torch.cat([video[:, :, :context], predicted[:, :, context:]], dim=2)
        return {"index": batch["index"], "video": predicted, "indices": tokens}

    def _predict(self, video: Tensor, index: Tensor) -> Tensor:
        """Return clips float ``(B, 3, F, H, W)`` predicted from the first frames of others."""
        tokens = self.tokenizer.encode(video[:, :, : self.context].to(self.device).contiguous())
        predicted: Tensor = self(tokens, index)[0]
        return predicted

    def _targets(self, split: str, index: Tensor) -> ForecastTargets:
        return ForecastTargets(self.data, split, index, self.tokenizer, self.context, self.horizon, self.device)

    def setup(self, stage: str) -> None:
        """Have the data encode the context alone, and check them; see `TokenTask.setup`."""
        self.data.context, self.tracker = self.context, self.data.tracker
        super().setup(stage)

    def check_data(self) -> None:
        """Check that clips hold the context; they may be of any length. See `TokenTask.check_data`."""
        manifest, layout = self.data.manifest, self.tokenizer.layout(self.data.manifest)
        assert self.layout is not None
        if layout.grid[1:] != self.layout.grid[1:] or layout.codebook_size != self.layout.codebook_size:
            raise UserError(
                f"clips of {self.data.path} have {layout.grid} tokens, the network was trained on {self.layout.grid}"
            )
        if manifest.frames < self.context:
            raise UserError(
                f"clips of {self.data.path} have {manifest.frames} frames, fewer than model.context {self.context}"
            )
        stage = self.trainer.state.fn
        if stage == "fit" and (layout.grid != self.layout.grid or manifest.frames < self.context + self.horizon):
            raise UserError(
                f"clips of {self.data.path} have {manifest.frames} frames; model.context and model.horizon need "
                f"{self.context + self.horizon}"
            )


def seed_of(clip: int, number: int) -> int:
    """Return the seed of one sample of one clip."""
    return int.from_bytes(hashlib.sha256(f"{clip}/{number}".encode()).digest()[:6], "little")
