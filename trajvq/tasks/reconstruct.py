"""Reconstruct: train a tokenizer to give its clips back, and measure what it keeps of the object."""

import warnings
from typing import Any, ClassVar

import lightning as L
import numpy as np
import torch
from lightning.fabric.utilities.data import AttributeDict
from torch import Tensor, nn

from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.errors import UserError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.details import ClipDetails, clip_facts, clips_to_show
from trajvq.metrics.reconstruction.codes import linear_probe
from trajvq.metrics.scoreboard import ReconstructionScoreboard, add_ood_ratios
from trajvq.optim.schedule import adamw, muon
from trajvq.optim.sharding import shard
from trajvq.tokens.loading import misfits
from trajvq.tokens.protocol import check_tokenizer, spec_of

Batch = dict[str, Tensor]


class Reconstruct(L.LightningModule):
    """Trains any `trajvq.tokens.Tokenizer` to reconstruct clips.

    Logs ``train/loss``, ``train/mse``, ``val/mse``, ``val/skill``, ``val/visible``,
    ``val/centroid_error`` (px) and ``val/codes_used``. ``test`` leaves a scoreboard for every
    split in `scoreboards`.

    Args:
        tokenizer: The network.
        loss: A module of (reconstruction, video, background) that returns a scalar; the first two are
            ``(B, 3, T, H, W)``, the background, estimated from the clip itself, ``(B, 3, 1, H, W)``.
        augment: A module of (video, background, share of training done) that returns the first two; None for none.
        learning_rate: Peak of the learning rate.
        matrix_learning_rate: Peak of Muon's learning rate for matrices; None trains all by AdamW.
        warmup_steps: Steps of linear rise to it.
        total_steps: Steps until it has decayed to 0; the trainer's ``max_steps``.
        betas: AdamW's running averages.
        weight_decay: Decoupled decay of the matrices, whichever optimizer steps them.
    """

    task: ClassVar[str] = "recon"
    monitor: ClassVar[str] = "val/skill"

    def __init__(
        self,
        tokenizer: nn.Module,
        loss: nn.Module,
        total_steps: int,
        augment: nn.Module | None = None,
        learning_rate: float = 3e-3,
        matrix_learning_rate: float | None = None,
        warmup_steps: int = 100,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__()
        check_tokenizer(tokenizer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # under the CLI these are plain values; elsewhere see the next line
            self.save_hyperparameters()
        self.hparams.update({n: spec_of(v) for n, v in self.hparams.items() if isinstance(v, nn.Module)})
        self._hparams_initial = AttributeDict(self.hparams)
        self.tokenizer, self.loss, self.augment = tokenizer, loss, augment
        self.learning_rate, self.warmup_steps, self.total_steps = learning_rate, warmup_steps, total_steps
        self.matrix_learning_rate = matrix_learning_rate
        self.betas, self.weight_decay = betas, weight_decay
        self.scoreboards: dict[str, dict[str, Any]] = {}
        self.code_usage: dict[str, Any] = {}  # of the last validation
        self.val_board = self._board(full=False)
        self.test_boards = nn.ModuleDict()

    def _board(self, full: bool) -> ReconstructionScoreboard:
        size, strides = self.tokenizer.codebook_size, self.tokenizer.strides
        assert isinstance(size, int)
        assert isinstance(strides, tuple)
        return ReconstructionScoreboard(size, strides, full)

    def tokenize(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)``, and the clips decoded from them."""
        indices: Tensor = self.tokenizer.encode(video)  # type: ignore[operator]
        made: Tensor = self.tokenizer.decode(indices)  # type: ignore[operator]
        return indices, made

    def setup(self, stage: str) -> None:
        """Check that the dataset's clips divide into whole tokens.

        Raises:
            UserError: If they do not.
        """
        data, strides = self._data(), self.val_board.strides
        held = data.manifest
        sizes = (held.frames, held.height, held.width)
        if any(size % stride for size, stride in zip(sizes, strides, strict=True)):
            raise UserError(
                f"clips of {data.path} are {held.frames} frames of {held.height}x{held.width} (height x width), "
                f"no multiples of the tokenizer's strides {list(strides)}; set model.tokenizer.strides or other clips"
            )

    def configure_model(self) -> None:
        """Shard the network where the strategy has a mesh of processes (``ModelParallelStrategy``)."""
        if self.device_mesh is not None:
            shard(self.tokenizer, self.device_mesh["data_parallel"], ("encode", "decode", "quantize"))

    def configure_optimizers(self) -> Any:
        weights, rest = self.tokenizer.parameters(), (self.warmup_steps, self.total_steps, self.betas)
        if self.matrix_learning_rate is None:
            return adamw(weights, self.learning_rate, *rest, self.weight_decay)
        return muon(weights, self.learning_rate, self.matrix_learning_rate, *rest, self.weight_decay)

    def forward(self, video: Tensor) -> Tensor:
        """Reconstruct clips float ``(B, 3, T, H, W)``."""
        made: Tensor = self.tokenizer(video)
        return made

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        video = batch["video"]
        with torch.no_grad():
            background = estimate_background(video)
            if self.augment is not None:
                video, background = self.augment(video, background, self.global_step / self.total_steps)
        made = self(video)
        loss: Tensor = self.loss(made, video, background)
        extra = self.tokenizer.auxiliary_loss() if hasattr(self.tokenizer, "auxiliary_loss") else None  # type: ignore[operator]
        if extra is not None:
            loss = loss + extra
        if not torch.isfinite(loss):
            lower = "lower model.matrix_learning_rate and model.learning_rate"
            raise UserError(f"the loss is {loss.item()} at step {self.global_step}; {lower}")
        self.log("train/loss", loss, prog_bar=True)
        self.log("train/mse", (made.detach() - video).square().mean())
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        indices, made = self.tokenize(batch["video"])
        self.val_board.update(batch, made, indices)
        return {"video": batch["video"], "reconstruction": made, "indices": indices}

    def on_validation_epoch_end(self) -> None:
        found = self.val_board.compute()
        row = found["rows"]["model"]
        shown = ("codes_used", "perplexity", "object_perplexity")
        self.code_usage = {"counts": found["counts"]} | {name: row[name] for name in shown if name in row}
        for name in ("mse", "skill", "visible", "centroid_error", "codes_used"):
            if name in row:
                self.log(f"val/{name}", row[name], prog_bar=name == "skill")
        self.val_board.reset()

    def on_test_epoch_start(self) -> None:
        data = self._data()
        self.test_boards = nn.ModuleDict({split: self._board(full=True) for split in data.test_splits}).to(self.device)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        indices, made = self.tokenize(batch["video"])
        board = list(self.test_boards.values())[dataloader_idx]
        assert isinstance(board, ReconstructionScoreboard)
        board.update(batch, made, indices)

    def on_test_epoch_end(self) -> None:
        probe = self._probe_accuracy()
        for split, board in self.test_boards.items():
            assert isinstance(board, ReconstructionScoreboard)
            self.scoreboards[split] = board.compute()
        add_ood_ratios({split: found["rows"]["model"] for split, found in self.scoreboards.items()}, "centroid_error")
        for split, found in self.scoreboards.items():
            found["details"] = self._details(split, found)
            found["rows"]["model"] |= probe
            for name, value in found["rows"]["model"].items():
                self.log(f"{split}/{name}", value)

    def _details(self, split: str, found: dict[str, Any]) -> ClipDetails:
        """Return figures of every clip, and the worst and the first clips with what becomes of them."""
        clips, per_clip = self._data().clips(split), {n: value.numpy() for n, value in found["per_clip"].items()}
        index = per_clip.pop("index")
        known = np.isfinite(per_clip["centroid_error"]).any()
        ranked = "centroid_error" if known else "mse"
        order = [ranked, *(name for name in per_clip if name != ranked and (known or name == "mse"))]
        counts = {name: value.numpy() for name, value in found.get("counts", {}).items()}
        details = ClipDetails(
            index,
            {name: per_clip[name] for name in order},
            clip_facts(clips.columns, index),
            counts=counts,
            classes=clips.manifest.classes,
        )
        details.shown = clips_to_show(details.by_clip(ranked))
        shown = clips.batch(index[details.shown].tolist())["video"]
        _, made = self.tokenize(to_float(shown.to(self.device)))
        details.clips = {"target": shown.numpy(), "reconstruction": to_uint8(made)}
        return details

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        indices, made = self.tokenize(batch["video"])
        return {"index": batch["index"], "video": made, "indices": indices}

    def _data(self) -> TrajectoryDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, TrajectoryDataModule)
        return data

    def _probe_accuracy(self) -> dict[str, float]:
        """Fit a linear probe from codes to labels on ``train`` and score it on ``val``, beside one on true places."""
        codes: dict[str, Tensor] = {}
        places: dict[str, Tensor] = {}
        labels: dict[str, Tensor] = {}
        data = self._data()
        if not {"train", "val"} <= data.manifest.splits.keys() or "label" not in data.clips("train").columns:
            return {}
        for split in ("train", "val"):
            clips = data.clips(split)
            found = []
            for batch in clips.loader(data.eval_batch_size):
                video = to_float(batch["video"].to(self.device))
                found.append(self.tokenizer.quantize(video).flatten(1).cpu())  # type: ignore[operator]
            codes[split], labels[split] = torch.cat(found), clips.columns["label"]
            if "pixel" in clips.columns:
                places[split] = clips.columns["pixel"].flatten(1)
        result = {"probe_accuracy": linear_probe(codes["train"], labels["train"], codes["val"], labels["val"])}
        if places:
            true = linear_probe(places["train"], labels["train"], places["val"], labels["val"])
            result["probe_accuracy_true"] = true
        return result

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        wrong = misfits(self.state_dict(), checkpoint["state_dict"])
        if wrong:
            spec = self.hparams["tokenizer"]["class_path"]
            raise UserError(f"the checkpoint is of another network than the config's {spec}: {wrong}")
