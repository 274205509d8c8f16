"""Reconstruct: train a tokenizer to reconstruct clips, and measure what it keeps of the object."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from trajvq.adaptation import Adaptation, adapt
from trajvq.augment import AdaptiveAugmentation
from trajvq.callbacks import PredictionFile
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.errors import UserError
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.details import ClipDetails, clip_facts, clips_to_keep
from trajvq.metrics.reconstruction.codes import probe_figures
from trajvq.metrics.reconstruction.scoreboard import ReconstructionScoreboard, scoreboard_for
from trajvq.metrics.scoreboard import add_ood_ratios, value_of
from trajvq.optim.graphs import RecordedModule
from trajvq.optim.sharding import shard
from trajvq.tasks.base import Batch, Task
from trajvq.tasks.encoding import SplitEncoder
from trajvq.tokens.protocol import Tokenizer, check_tokenizer, is_normalized
from trajvq.tokens.streaming import decode, encode, remarks
from trajvq.tokens.weights import Weights, read_tokenizer

USAGE = ("codes_used", "perplexity", "object_perplexity")
LOGGED = ("mse", "psnr", "skill", "visible", "surplus", "centroid_error", "codes_used")


class ReconstructionLoss(nn.Module):
    """The loss of a tokenizer on clips, with the quantizer's own, if it has one.

    Args:
        tokenizer: The network; a `trajvq.tokens.Tokenizer`.
        loss: See `Reconstruct`.
    """

    def __init__(self, tokenizer: nn.Module, loss: nn.Module) -> None:
        super().__init__()
        self.tokenizer, self.loss = tokenizer, loss

    def forward(self, video: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss and the mean squared error, without gradients, of clips as the network sees them."""
        network: Any = self.tokenizer
        reconstruction = network.reconstruct(video) if is_normalized(network) else network(video)
        loss: Tensor = self.loss(reconstruction, video, background)
        auxiliary_loss: Any = getattr(network, "auxiliary_loss", None)
        auxiliary = auxiliary_loss() if auxiliary_loss is not None else None
        if auxiliary is not None:
            loss = loss + auxiliary
        return loss, (reconstruction.detach() - video).square().mean()


class Reconstruct(Task):
    """Train any `trajvq.tokens.Tokenizer` to reconstruct clips.

    Logs ``train/loss``, ``train/mse``, ``val/mse``, ``val/skill``, ``val/visible``, ``val/centroid_error`` (px) and
    ``val/codes_used``. ``test`` leaves a scoreboard for every split in `scoreboards`.

    Args:
        tokenizer: The network.
        loss: A module of (reconstruction, video, background) that returns a scalar. The first two are
            ``(B, 3, T, H, W)``; the background, estimated from the clip itself, is ``(B, 3, 1, H, W)``. All are in
            units of the clips' contrast where the tokenizer is a `trajvq.tokens.NormalizedTokenizer`, else in [0, 1].
            Its parameters are trained, too.
        total_steps: Steps until the learning rates have decayed to 0; the trainer's ``max_steps``.
        augment: A `trajvq.augment.Augmentation` of the training clips; None for none.
        figures: The user's own figures for the scoreboard, each a `trajvq.metrics.figures.ClipFigure`.
        learning_rate: See `Task`, as for the next four.
        matrix_learning_rate: Peak learning rate of Muon.
        warmup_steps: Steps of linear rise.
        betas: Decay rates of AdamW's running averages.
        weight_decay: Decoupled weight decay.
        init_from: Weights of the same tokenizer to start from: a checkpoint, its fsspec URL, an exported folder, or
            ``default``.
        cuda_graphs: On one GPU, record forward pass, backward pass and orthogonalization once for each shape of batch,
            and replay them: the same kernels, launched together. The tokenizer must suit `RecordedModule`, as
            `trajvq.models.CausalTokenizer` with FSQ does.
    """

    task: ClassVar[str] = "recon"
    monitor: ClassVar[str | None] = "val/skill"
    monitor_mode: ClassVar[Literal["max", "min"]] = "max"

    def __init__(
        self,
        tokenizer: nn.Module,
        loss: nn.Module,
        total_steps: int,
        augment: nn.Module | None = None,
        figures: Sequence[nn.Module] = (),
        learning_rate: float = 3e-3,
        matrix_learning_rate: float | None = None,
        warmup_steps: int = 100,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
        init_from: str | None = None,
        cuda_graphs: bool = False,
    ) -> None:
        check_tokenizer(tokenizer)
        super().__init__(total_steps, learning_rate, warmup_steps, betas, weight_decay, matrix_learning_rate, init_from)
        self.tokenizer, self.loss, self.augment = tokenizer, loss, augment
        self.figures, self.cuda_graphs = list(figures), cuda_graphs
        self.recorded = RecordedModule(ReconstructionLoss(tokenizer, loss))  # no module: weights have one name each
        self.adaptation: Adaptation | None = None  # checkpoints keep it
        self.adapted: list[str] = []
        self.code_usage: dict[str, Any] = {}  # of the last validation
        self.val_board = self._board(full=False)
        self.test_boards: dict[str, ReconstructionScoreboard] = {}  # by split
        self.probe: dict[str, float] = {}  # of the last test
        self.probe_remarks: list[str] = []

    def configure_callbacks(self) -> list[L.Callback]:
        return [PredictionFile()]

    @property
    def network(self) -> Tokenizer:
        """The tokenizer, as its protocol sees it."""
        return cast(Tokenizer, self.tokenizer)  # `check_tokenizer` has seen it

    def _board(self, full: bool) -> ReconstructionScoreboard:
        return ReconstructionScoreboard(self.network.codebook_size, self.network.strides, full, self.figures)

    def tokenize(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)``, and the clips decoded from them."""
        indices = self.network.encode(video)
        return indices, self.network.decode(indices)

    def setup(self, stage: str) -> None:
        """Check that the dataset's clips divide into whole tokens; in prediction their length need not.

        Raises:
            UserError: If they do not.
        """
        data, strides = self._data(), self.network.strides
        manifest, data.stored = data.manifest, stage == "predict"
        sizes = (manifest.frames, manifest.height, manifest.width)
        if data.stored:
            lines = remarks(self.network, *sizes, self.trainer.strategy.root_device)
            if manifest.frames % strides[0]:
                lines.append("predictions hold no indices, whose grid would not fit; `trajvq tokenize` writes them")
            for line in lines:
                rank_zero_only(print)(line, flush=True)
        if any(size % stride for size, stride in list(zip(sizes, strides, strict=True))[data.stored :]):
            raise UserError(
                f"clips of {data.path} are {sizes[0]} frames of {sizes[1]}x{sizes[2]} (height x width), "
                f"no multiples of the tokenizer's strides {list(strides)}; set model.tokenizer.strides or other clips"
            )

    def configure_model(self) -> None:
        """Start from ``init_from``, adapt to the training clips, shard the network where the strategy has a mesh."""
        super().configure_model()
        if self.adaptation is None and self.begins:
            clips = self._data().source("train", train=True)
            adaptation: Any = adapt(clips) if self.trainer.is_global_zero else None
            self._use(self.trainer.strategy.broadcast(adaptation))
            for line in self.adapted:
                rank_zero_only(print)(line, flush=True)
        if self.device_mesh is not None:
            own = ("reconstruct",) if is_normalized(self.tokenizer) else ()
            shard(self.tokenizer, self.device_mesh["data_parallel"], ("encode", "decode", "quantize", *own))

    def _use(self, adaptation: Adaptation) -> None:
        """Normalize and augment as suits the training clips."""
        self.adaptation = adaptation
        if is_normalized(self.tokenizer):
            self.tokenizer.normalization.fit(adaptation.background, adaptation.contrast)
            self.adapted = [adaptation.normalization_line()]
        else:
            self.adapted = [f"normalization: none, {type(self.tokenizer).__name__} sees clips in [0, 1]"]
        self.adapted += [adaptation.background_line(), adaptation.symmetry_line()]
        if isinstance(self.augment, AdaptiveAugmentation):
            self.adapted += self.augment.adapt(adaptation)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what the training clips look like."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["adaptation"] = None if self.adaptation is None else vars(self.adaptation).copy()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue with what the training clips looked like."""
        super().on_load_checkpoint(checkpoint)
        if checkpoint.get("adaptation") is not None:
            self._use(Adaptation(**checkpoint["adaptation"]))

    def load_weights(self, source: str) -> Weights:
        """Copy the tokenizer's weights; see `Task.load_weights`."""
        weights = read_tokenizer(source)
        weights.copy_to(self.tokenizer, "model.tokenizer")
        return weights

    def forward(self, video: Tensor) -> Tensor:
        """Reconstruct clips float ``(B, 3, T, H, W)``."""
        reconstruction: Tensor = self.tokenizer(video)
        return reconstruction

    @property
    def records(self) -> bool:
        alone = self._trainer is None or self._trainer.world_size == 1
        return self.cuda_graphs and alone and self.device.type == "cuda"

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        network, video = self.network, batch["video"]
        with torch.no_grad():
            if is_normalized(network):
                video = network.normalization(video)
            background = estimate_background(video)
            if self.augment is not None:
                video, background = self.augment(video, background, self.global_step / self.total_steps)
        loss, error = (self.recorded if self.records else self.recorded.module)(video, background)
        self.log("train/loss", self.checked(loss), prog_bar=True)
        scale = network.normalization.contrast.square() if is_normalized(network) else 1.0
        self.log("train/mse", scale * error.detach())
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        indices, reconstruction = self.tokenize(batch["video"])
        self.val_board.update(batch, reconstruction, indices)
        return {"video": batch["video"], "reconstruction": reconstruction, "indices": indices}

    def on_validation_epoch_end(self) -> None:
        board = self.val_board.compute()
        row = board["rows"]["model"]
        self.code_usage = {"counts": board["counts"]} | {name: row[name] for name in USAGE if name in row}
        for name in LOGGED:
            if name in row:
                self.log(f"val/{name}", row[name], prog_bar=name == "skill")
        if "skill" not in row and not self.trainer.sanity_checking:
            self._select_by_psnr()
        self.val_board.reset()

    def _select_by_psnr(self) -> None:
        """Choose ``best.ckpt`` by PSNR where nothing moves in ``val``: there is no skill then."""
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.monitor == self.monitor:
                callback.monitor = "val/psnr"
                rank_zero_only(print)("val: nothing moves, so there is no skill; best.ckpt has the highest PSNR")

    def on_test_epoch_start(self) -> None:
        data = self._data()
        train_tokens, self.probe, self.probe_remarks = self._train_tokens_and_probe()
        settings = (self.network.codebook_size, self.network.strides, self.figures, train_tokens)
        boards = {split: scoreboard_for(data.clips(split), *settings) for split in data.test_splits}
        self.test_boards = {split: board.to(self.device) for split, board in boards.items()}

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        indices, reconstruction = self.tokenize(batch["video"])
        self.test_boards[self._data().test_splits[dataloader_idx]].update(batch, reconstruction, indices)

    def on_test_epoch_end(self) -> None:
        for split, board in self.test_boards.items():
            self.scoreboards[split] = board.compute()
        add_ood_ratios({split: board["rows"]["model"] for split, board in self.scoreboards.items()}, "centroid_error")
        for split, scoreboard in self.scoreboards.items():
            scoreboard["details"] = self._details(split, scoreboard)
            scoreboard["rows"]["model"] |= self.probe
            scoreboard["remarks"] = [*scoreboard["remarks"], *self.probe_remarks]
            for name, value in scoreboard["rows"]["model"].items():
                self.log(f"{split}/{name}", value_of(value))

    def _details(self, split: str, scoreboard: dict[str, Any]) -> ClipDetails:
        """Return figures of every clip, and the worst and the first clips with their reconstructions."""
        clips = self._data().clips(split)
        per_clip = {name: np.atleast_1d(value.numpy()) for name, value in scoreboard["per_clip"].items()}
        index = per_clip.pop("index")
        has_objects = np.isfinite(per_clip["centroid_error"]).any()
        ranked = "centroid_error" if has_objects else "mse"
        order = [ranked, *(name for name in per_clip if name != ranked and (has_objects or name == "mse"))]
        counts = {name: value.numpy() for name, value in scoreboard.get("counts", {}).items()}
        details = ClipDetails(
            index,
            {name: per_clip[name] for name in order},
            clip_facts(clips.columns, index),
            counts=counts,
            classes=clips.manifest.classes,
        )
        details.kept = clips_to_keep(details.by_clip(ranked))
        target = clips.batch(index[details.kept].tolist())["video"]
        _, reconstruction = self.tokenize(to_float(target.to(self.device)))
        details.clips = {"target": target.numpy(), "reconstruction": to_uint8(reconstruction)}
        return details

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        frames = batch["video"].shape[1]
        indices = encode(self.network, batch["video"].transpose(1, 2))
        prediction = {"index": batch["index"], "video": decode(self.network, indices, stored=True)[:, :frames]}
        return prediction if frames % self.network.strides[0] else prediction | {"indices": indices}

    def _data(self) -> TrajectoryDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, TrajectoryDataModule)
        return data

    def _train_tokens_and_probe(self) -> tuple[Tensor | None, dict[str, float], list[str]]:
        """Return the tokens ``(N, t, h, w)`` of ``train``, how well linear probes read classes on ``val``, and remarks.

        One probe reads codes, the other true positions; both are fitted on ``train``.
        """
        data = self._data()
        if "train" not in data.manifest.splits:
            return None, {}, []
        train = data.clips("train")
        encoder = SplitEncoder(self.network, self.device, data.eval_batch_size)
        with_probe = "val" in data.manifest.splits and "label" in train.columns
        tokens, codes = encoder.encode(train, with_codes=with_probe)
        if codes is None:
            return tokens, {}, []
        val = data.clips("val")
        _, val_codes = encoder.encode(val, with_codes=True)
        assert val_codes is not None
        stored = "pixel" in train.columns
        positions = (train.columns["pixel"][:, :, 0], val.columns["pixel"][:, :, 0]) if stored else None
        return tokens, *probe_figures((codes, val_codes), positions, (train.columns["label"], val.columns["label"]))
