"""Forecast: go on with a clip from its first frames, and know how good that is."""

import hashlib
import time
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajvq.augment import PathSymmetries
from trajvq.data.synthetic.extrapolate import continued_paths
from trajvq.errors import UserError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.forecast.errors import forecast_figures
from trajvq.metrics.forecast.predictions import ForecastAnswers, pictured, tracked_as
from trajvq.metrics.forecast.rows import Baselines, Paths
from trajvq.metrics.forecast.scoreboard import fitted, forecast_rows
from trajvq.metrics.reconstruction.metric import Truth, truth_of
from trajvq.metrics.scoreboard import add_ood_ratios, value_of
from trajvq.models.forecaster import Forecaster
from trajvq.models.sampling import Sampling
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.details import forecast_details
from trajvq.tasks.token_task import Batch, TokenTask
from trajvq.tokens.tracks import as_path, positions_in

GREEDY = Sampling(temperature=0.0, noise_scale=0.0)


class Forecast(TokenTask):
    """Trains a forecaster on the tokens of a frozen tokenizer; the class of a clip is not known to it.

    Logs ``train/loss``, ``train/path``, ``train/token`` and ``val/ade``. ``test`` leaves a scoreboard for every split
    in `scoreboards`. Whoever forecasts sees the first frames alone: they are encoded without the others.

    Args:
        tokenizer_ckpt: Checkpoint of the tokenizer.
        network: The forecaster.
        total_steps: Steps until the learning rate has decayed to 0; the trainer's ``max_steps``.
        context: Frames given in validation, test and prediction; a multiple of the frames of a token.
        horizon: Frames predicted; the same.
        samples: K, drawn of each clip in the test; 0 for none.
        temperature: Of the tokens of samples.
        noise_scale: Of the paths of samples, as a multiple of what was learnt.
        val_clips: Clips forecast at validation; None for all.
        paths: Paths a step that the planner learns from, turned and mirrored ones of the training clips.
        paths_weight: Of the path's loss beside that of tokens.
        path_noise_std: Noise in px, of a path that tokens are taught along, so that a planned one serves as well.
        rest: Where tokens are told in turn, so many of those told at once are learnt from at a step; None for all.
        learning_rate: Its peak, for all weights that are no matrices; see `trajvq.optim.schedule.muon`.
        matrix_learning_rate: The peak for matrices.
        warmup_steps: Steps of linear rise to both.
        betas: AdamW's running averages.
        weight_decay: Of the matrices.
    """

    task: ClassVar[str] = "forecast"
    monitor: ClassVar[str] = "val/ade"

    def __init__(
        self,
        tokenizer_ckpt: str,
        network: Forecaster,
        total_steps: int,
        context: int = 8,
        horizon: int = 8,
        samples: int = 20,
        temperature: float = 1.0,
        noise_scale: float = 1.0,
        val_clips: int | None = None,
        paths: int = 512,
        paths_weight: float = 10.0,
        path_noise_std: float = 0.1,
        rest: int | None = None,
        learning_rate: float = 3e-3,
        matrix_learning_rate: float = 0.02,
        warmup_steps: int = 100,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
    ) -> None:
        weights = (learning_rate, warmup_steps, betas, weight_decay, matrix_learning_rate)
        super().__init__(tokenizer_ckpt, network, total_steps, *weights)
        self.context, self.horizon, self.samples, self.val_clips = context, horizon, samples, val_clips
        self.sampling = Sampling(temperature=temperature, noise_scale=noise_scale)
        self.paths, self.paths_weight, self.path_noise_std, self.rest = paths, paths_weight, path_noise_std, rest
        self.symmetries = PathSymmetries()
        self.timed = np.zeros(2)  # clips forecast greedily in this test, and seconds
        self.val_answers = ForecastAnswers()
        self.test_answers = nn.ModuleDict()
        self.numbers: dict[str, NDArray[np.int64]] = {}  # of the clips of the last test, by split
        self.places: dict[str, dict[str, NDArray[Any]]] = {}  # of the last test, by split, for pictures

    def make(self, layout: TokenLayout, classes: list[str]) -> None:
        """Make the network's layers; see `TokenTask.make`.

        Raises:
            UserError: If context or horizon are no whole latent frames, or nothing is learnt from.
        """
        assert isinstance(self.network, Forecaster)
        for name in ("context", "horizon"):
            frames = getattr(self, name)
            if frames < 1 or frames % layout.frames:
                raise UserError(f"model.{name} is {frames}; a token covers {layout.frames} frames, give a multiple")
        if layout.grid[0] < 2:
            raise UserError(f"clips of {layout.frames} frames are a single token long: there is nothing to go on to")
        self.network.build(layout)

    def forward(self, tokens: Tensor, index: Tensor, how: Sampling = GREEDY, draw: int = 0) -> tuple[Tensor, Tensor]:
        """Go on with clips.

        Args:
            tokens: int64 ``(B, s, h, w)`` of their first frames.
            index: int64 ``(B,)``; chance comes from it and ``draw`` alone.
            how: How to draw.
            draw: Number of the sample.

        Returns:
            Clips float ``(B, 3, F, H, W)`` from their first frame on, and their tokens.
        """
        assert isinstance(self.network, Forecaster)
        assert self.layout is not None
        video = self.tokenizer.decode(tokens)
        path = as_path(positions_in(video), *video.shape[-2:])
        generators = [torch.Generator().manual_seed(seed_of(int(clip), draw)) for clip in index]
        frames = tokens.shape[1] + self.horizon // self.layout.frames
        made = self.network.rollout(generators, prefix=tokens, path=path, frames=frames, how=how)
        return self.tokenizer.decode(made.tokens), made.tokens

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        assert isinstance(self.network, Forecaster)
        assert self.layout is not None
        pool = self.data.tokens("train", train=True).versioned.get("tracks")
        if pool is None or "tracks" not in batch:
            raise UserError("a forecaster learns where things are: set data.tracks and data.cache_tokens to true")
        pool = pool.flatten(0, 1)
        paths = self.symmetries(pool[torch.randint(len(pool), (self.paths,))].to(self.device))
        given = self.layout.frames * torch.randint(1, self.layout.grid[0], (len(paths),), device=self.device)
        places = batch["tracks"]
        noise = torch.randn_like(places) * places.new_tensor(
            [2 / self.data.manifest.width, 2 / self.data.manifest.height]
        )
        ahead = self.network.path_loss(paths, given)
        token = self.network.token_loss(self.data.tokens_of(batch), places + self.path_noise_std * noise, self.rest)
        loss = token + self.paths_weight * ahead
        self.log("train/loss", self.checked(loss), prog_bar=True)
        self.log("train/path", ahead, prog_bar=True)
        self.log("train/token", token, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        if self.val_clips is not None:
            shown = batch["index"] < self.val_clips
            batch = {name: value[shown] for name, value in batch.items()}
        if len(batch["index"]):
            self.val_answers.update(self._answer("val", batch["index"]))

    def on_validation_epoch_end(self) -> None:
        found = self.val_answers.compute()
        truth, valid = (found[name][:, self.context :] for name in ("truth", "valid"))
        self.log("val/ade", value_of(forecast_figures(truth, valid, found["pixel"])["ade"]), prog_bar=True)
        self.val_answers.reset()

    def on_test_epoch_start(self) -> None:
        self.timed = np.zeros(2)
        self.test_answers = nn.ModuleDict({split: ForecastAnswers() for split in self.data.test_splits}).to(self.device)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        split = self.data.test_splits[dataloader_idx]
        answers = self.test_answers[split]
        assert isinstance(answers, ForecastAnswers)
        answers.update(self._answer(split, batch["index"], full=True))

    def on_test_epoch_end(self) -> None:
        ladder, boards = self._ladder(), {}
        for split, answers in self.test_answers.items():
            assert isinstance(answers, ForecastAnswers)
            found = answers.compute()
            self.numbers[split] = found["index"]
            boards[split], self.places[split] = forecast_rows(ladder, split, found, self.context)
            self.places[split] |= {name: found[name] for name in ("truth", "valid", "tracked") if name in found}
            self.places[split] |= {name: found[name] for name in ("samples", "label") if name in found}
        add_ood_ratios({split: rows["model"] for split, rows in boards.items()}, "ade")
        for split, rows in boards.items():
            rows["model"]["clips_per_second"] = float(self.timed[0] / max(self.timed[1], 1e-9))
            stored = "pixel" in self.data.clips(split).columns
            self.scoreboards[split] = {
                "clips": len(self.places[split]["truth"]),
                "truth": "stored" if stored else "tracked",
                "rows": rows,
                "details": forecast_details(
                    self.data.clips(split), self.places[split], self.numbers[split], self.context, self._go_on
                ),
            }
            self.log(f"{split}/ade", value_of(rows["model"]["ade"]))

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        clips = self.data.clips(self.data.predict_split)
        video = to_float(clips.batch(batch["index"].tolist())["video"]).to(self.device)
        made, tokens = self(self._context(video), batch["index"])
        given = min(self.context, video.shape[2])
        made = torch.cat([video[:, :, :given], made[:, :, given:]], dim=2)
        return {"index": batch["index"], "video": made, "indices": tokens}

    def _go_on(self, video: Tensor, index: Tensor) -> Tensor:
        """Return clips float ``(B, 3, T, H, W)`` with the frames predicted from the first ones."""
        made: Tensor = self(self._context(video.to(self.device)), index)[0]
        return made

    def _context(self, video: Tensor) -> Tensor:
        """Return the tokens of the first frames of clips, which are all that is encoded."""
        return self.tokenizer.encode(video[:, :, : self.context].contiguous())

    def _check_data(self) -> None:
        """Clips may be of any length that holds the context; see `TokenTask`."""
        manifest, found = self.data.manifest, self.tokenizer.layout(self.data.manifest)
        assert self.layout is not None
        if found.grid[1:] != self.layout.grid[1:] or found.codebook_size != self.layout.codebook_size:
            raise UserError(
                f"clips of {self.data.path} have {found.grid} tokens, the network was trained on {self.layout.grid}"
            )
        if manifest.frames < self.context:
            raise UserError(f"clips of {self.data.path} have {manifest.frames} frames, not the {self.context} given")
        stage = self.trainer.state.fn
        if stage == "fit" and (found.grid != self.layout.grid or manifest.frames < self.context + self.horizon):
            raise UserError(
                f"clips of {self.data.path} have {manifest.frames} frames; model.context and model.horizon ask for "
                f"{self.context} and {self.horizon} more"
            )

    def _truth(self, split: str, index: Tensor) -> tuple[Truth, Tensor]:
        """Return the truth and the video of some clips."""
        batch = self.data.clips(split).batch(index.tolist())
        video = to_float(batch["video"])
        return truth_of(batch | {"video": video}), video.to(self.device)

    def _answer(self, split: str, index: Tensor, full: bool = False) -> dict[str, Any]:
        """Return what `ForecastAnswers` collects of some clips; ``full`` with samples and all that rows need."""
        truth, video = self._truth(split, index)
        start = time.monotonic()
        tokens = self._context(video)
        made, _ = self(tokens, index)
        self.timed += np.array([len(index), time.monotonic() - start])
        found = self._true_places(split, index, truth)
        found |= pictured(truth, to_uint8(made), found["truth"], self.context)
        if not full:
            return found
        frames, columns = self.context + self.horizon, self.data.clips(split).columns
        found |= {name: columns[name][index.cpu()] for name in ("label", "identifiable") if name in columns}
        given, whole = self.tokenizer.decode(tokens), self.tokenizer.decode(self.tokenizer.encode(video))
        seen = [tracked_as(truth, to_uint8(clips)).pixel for clips in (video, whole, given)]
        seen[1][:, : self.context] = seen[2]  # as the model sees it: without the frames to come
        found |= {"tracked": fitted(seen[0], frames), "reconstructed": fitted(seen[1], frames)}
        drawn = []
        for number in range(1, self.samples + 1):
            made, _ = self(tokens, index, self.sampling, number)
            drawn.append(tracked_as(truth, to_uint8(made[:, :, self.context :]), self.context).pixel)
        return found | ({"samples": np.stack(drawn, axis=1)} if drawn else {})

    def _true_places(self, split: str, index: Tensor, truth: Truth) -> dict[str, Any]:
        """Return where the object is, over context and horizon; beyond the clip's end its equation says so."""
        frames, known = self.context + self.horizon, truth.pixel.shape[1]
        places, valid = fitted(truth.pixel, frames), fitted(truth.valid, frames, False).astype(bool)
        more = continued_paths(self.data.clips(split), index.numpy(force=True), frames) if frames > known else None
        if more is not None:
            places[:, known:] = more[:, known:]
            valid[:, known:] = np.isfinite(more[:, known:]).all(axis=-1)
        return {"index": index, "truth": places, "valid": valid}

    def _ladder(self) -> Baselines:
        """Return what the rows know: paths of training clips, and how noisy the sources are on ``val``."""
        data, known = self.data, np.zeros((0, 0, 2))
        if "train" in data.manifest.splits and "pixel" in data.clips("train").columns:
            known = data.clips("train").columns["pixel"].numpy().astype(np.float64)[: data.train_clips]
        val, parts = data.clips("val"), []
        for rows in torch.split(torch.arange(len(val)), data.eval_batch_size):
            truth, video = self._truth("val", rows)
            made = self.tokenizer.decode(self.tokenizer.encode(video))
            seen = [tracked_as(truth, to_uint8(clips)).pixel for clips in (video, made)]
            parts.append((truth.pixel, truth.valid, *seen))
        paths = Paths(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        size = (data.manifest.height, data.manifest.width)
        return Baselines(known, paths, self.classes, data.manifest.ranges, size, data.manifest.frames)


def seed_of(clip: int, draw: int) -> int:
    """Return the seed of one sample of one clip."""
    return int.from_bytes(hashlib.sha256(f"{clip}/{draw}".encode()).digest()[:6], "little")
