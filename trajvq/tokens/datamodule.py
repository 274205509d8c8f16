"""TokenDataModule: batches of a frozen tokenizer's tokens from a dataset folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from trajvq.adaptation import adapt
from trajvq.augment import AdaptiveAugmentation
from trajvq.data.datamodule import DEFAULT, Batch, TrajectoryDataModule
from trajvq.data.storage.clips import Clips, ClipSource
from trajvq.errors import UserError
from trajvq.metrics.background import estimate_background
from trajvq.metrics.tracking import Tracker, track
from trajvq.tokens.cache import ROOT, TokenCache
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.protocol import spec_of
from trajvq.tokens.tracks import as_appearance, as_path

EXAMPLES = 16_000  # of the training, versions of clips, with ``versions: auto``
MOST_VERSIONS = 32


class TokenClips:
    """Clips of one split as tokens, all of them in memory.

    Item ``k + N * v`` is version v of clip k of N. A batch holds ``tokens`` int64 ``(B, t, h, w)``, ``index`` int64
    ``(B,)`` and the columns.

    Args:
        tokens: ``(N, V, t, h, w)``, any integer type.
        columns: ``(N, ...)`` by name, the same for all versions of a clip.
        versioned: Columns that differ between versions, ``(N, V, ...)`` by name.
        labeled: Number of clips, the first ones, that keep their label. They are repeated to come up about as often
            as the others, whose label is -1.
    """

    def __init__(
        self,
        tokens: Tensor,
        columns: dict[str, Tensor],
        versioned: dict[str, Tensor] | None = None,
        labeled: int | None = None,
    ) -> None:
        self.tokens, self.columns, self.versioned = tokens, columns, versioned or {}
        self.items = torch.arange(len(tokens) * tokens.shape[1])
        if labeled is not None and labeled < len(tokens):
            clip = self.items % len(tokens)
            with_label = self.items[clip < labeled]
            repeats = (len(self.items) - len(with_label)) // len(with_label)
            self.items = torch.cat([self.items[clip >= labeled], with_label.repeat(max(repeats, 1))])
            hidden = torch.arange(len(tokens)) >= labeled
            self.columns = columns | {"label": columns["label"].masked_fill(hidden, -1)}

    def __len__(self) -> int:
        return len(self.items)

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return several clips as a batch."""
        items = self.items[indices]
        clip, version = items % len(self.tokens), items // len(self.tokens)
        batch = {"tokens": self.tokens[clip, version].long(), "index": clip}
        batch |= {name: column[clip, version] for name, column in self.versioned.items()}
        return batch | {name: column[clip] for name, column in self.columns.items()}


class TokenDataModule(TrajectoryDataModule):
    """Batches of tokens of a dataset folder, encoded once and cached on disk.

    Batches are dictionaries: ``tokens`` int64 ``(B, t, h, w)``, ``index``, and the small columns of
    `trajvq.data.storage.clips.Clips`; in training only ``label`` of these. Order and resuming are those of
    `TrajectoryDataModule`. Without the cache, batches of training hold ``video`` instead of tokens, which the
    task passes to `tokens_of`.

    Args:
        path: Dataset folder, or its fsspec URL; see `TrajectoryDataModule`.
        batch_size: Clips per batch and device; all of them where there are fewer.
        eval_batch_size: Clips per batch and device in validation, test and prediction.
        num_workers: Loader processes; 0, since tokens are in memory.
        start_method: Start method of loader processes: fork, spawn or forkserver.
        seed: Seed of the order of the training clips.
        test_splits: Splits that ``test`` scores, each into a scoreboard of its own.
        predict_split: Split that ``predict`` runs on.
        train_clips: Number of training clips to use, the first ones; None for all.
        cache_tokens: Encode each clip once and keep its tokens; false encodes in every step, each time augmented
            differently.
        versions: Versions of each training clip in the cache: the clip itself, and others augmented by ``augment``.
            ``auto``: as many as make `EXAMPLES` of the whole split, at most `MOST_VERSIONS`; 1 without ``augment``.
        augment: A `trajvq.augment.Augmentation` that keeps labels, such as `trajvq.augment.ClipSymmetries`. One that
            chooses for itself looks at the training clips first.
        tracks: Add two entries to batches of training, from the reconstruction of the tokens: ``tracks``, the
            positions of the objects, float ``(B, K, T, 2)``, x and y from -1 to 1 between the edges, NaN where none is
            visible; and ``appearance``, their radii and colors, float ``(B, K, 4)``, see
            `trajvq.tokens.tracks.as_appearance`.
        eval_tracks: Add them outside of training, too.
        tracker: What finds the objects, a `trajvq.metrics.tracking.Tracker`; None for the default.
        labeled: Number of training clips, the first ones, that have a label; of the others only tokens and tracks
            are used.
        token_folder: Folder of all token caches.

    Attributes:
        context: If set, by a task before its loaders are created, batches of evaluation hold the tokens of the first
            frames alone, so many frames, encoded without the later ones, and no tracks.

        objects: K; 1 unless a task sets it before its loaders are created.

    Raises:
        ValueError: If settings contradict each other.
    """

    def __init__(
        self,
        path: str | Path = DEFAULT,
        batch_size: int = 64,
        eval_batch_size: int = 50,
        num_workers: int = 0,
        start_method: Literal["fork", "spawn", "forkserver"] = "fork",
        seed: int = 0,
        test_splits: list[str] | None = None,
        predict_split: str = "test",
        train_clips: int | None = None,
        cache_tokens: bool = True,
        versions: int | Literal["auto"] = 1,
        augment: nn.Module | None = None,
        tracks: bool = False,
        eval_tracks: bool = False,
        tracker: Callable[..., Any] | None = None,
        labeled: int | None = None,
        token_folder: Path = ROOT,
    ) -> None:
        super().__init__(
            path,
            batch_size,
            eval_batch_size,
            num_workers,
            start_method,
            seed,
            test_splits,
            predict_split,
            train_clips,
        )
        if versions != "auto" and versions < 1:
            raise ValueError(f"data.versions is {versions}; the clip itself is the first")
        if versions != "auto" and versions > 1 and augment is None:
            raise ValueError(f"data.versions is {versions} but data.augment is null; versions would all be alike")
        if (tracks or eval_tracks or labeled is not None) and not cache_tokens:
            raise ValueError("data.tracks, data.eval_tracks and data.labeled need data.cache_tokens")
        if labeled is not None and labeled < 1:
            raise ValueError(f"data.labeled is {labeled}; classes are learned from labels")
        if tracker is not None and not hasattr(tracker, "version"):
            raise ValueError(f"data.tracker {type(tracker).__name__} has no version, by which cached tracks are known")
        self.tracks, self.eval_tracks, self.labeled = tracks, eval_tracks, labeled
        self.cache_tokens, self.augment, self.token_folder = cache_tokens, augment, Path(token_folder)
        self.versions = versions
        self.tracker: Tracker = track if tracker is None else cast(Tracker, tracker)
        self.tokenizer: FrozenTokenizer | None = None
        self.context: int | None = None
        self.objects = 1
        self._adapted = False
        self._tokens: dict[tuple[str, bool], TokenClips] = {}

    def setup(self, stage: str) -> None:
        """Download the dataset of a URL, and take the tokenizer from the task unless there is one already.

        Raises:
            UserError: If the task has no frozen tokenizer.
        """
        super().setup(stage)
        if self.tokenizer is None and self.trainer is not None:
            frozen: Any = self.trainer.lightning_module.tokenizer
            self.tokenizer = frozen
        if not isinstance(self.tokenizer, FrozenTokenizer):
            raise UserError("TokenDataModule feeds tasks on a frozen tokenizer; set data to TrajectoryDataModule")
        if stage != "predict" and "train" in self.manifest.splits:
            self._adapt()

    def _adapt(self) -> None:
        """Let the augmentation choose, once, what suits the training clips and their classes."""
        if not isinstance(self.augment, AdaptiveAugmentation) or self._adapted:
            return
        self._adapted = True
        first = self.trainer is None or self.trainer.is_global_zero
        adaptation: Any = adapt(super().source("train", train=True), by_class=True) if first else None
        if self.trainer is not None:
            adaptation = self.trainer.strategy.broadcast(adaptation)
        for line in [adaptation.symmetry_line(), *self.augment.adapt(adaptation)]:
            rank_zero_only(print)(line, flush=True)

    def source(self, split: str, train: bool = False) -> ClipSource:
        """Return the tokens of one split, in evaluation those of the context; without the cache its clips."""
        if not self.cache_tokens:
            return super().source(split, train)
        if train or self.context is None:
            return self.tokens(split, train)
        return TokenClips(self.context_tokens(split, self.context)[:, None], self._columns(self.clips(split)))

    def tokens(self, split: str, train: bool = False) -> TokenClips:
        """Return the tokens of whole clips; for training those of the first ``train_clips``, in all versions.

        Raises:
            DataError: If the dataset does not have the split.
            UserError: If the cache cannot be written.
        """
        if (split, train) not in self._tokens:
            clips, cache = self.clips(split), self._cache()
            count = min(self.train_clips or len(clips), len(clips)) if train else len(clips)
            versions, device = self._versions(len(clips)) if train else 1, self._device()
            tokens = cache.tokens(clips, versions, self.augment, device)[:count]
            columns = self._columns(clips)
            if train and self.labeled is not None and "label" not in columns:
                raise UserError(f"data.labeled is {self.labeled}, and {self.path} has no labels; leave it out")
            if train:
                columns = {name: column[:count] for name, column in columns.items() if name == "label"}
            versioned = {}
            if self.tracks if train else self.eval_tracks:
                tracks = cache.tracks(clips, versions, self.augment, device, self.objects)[:count]
                versioned = {
                    "tracks": as_path(tracks[..., :2], self.manifest.height, self.manifest.width),
                    "appearance": as_appearance(tracks, self.manifest.width),
                }
            self._tokens[split, train] = TokenClips(tokens, columns, versioned, self.labeled if train else None)
        return self._tokens[split, train]

    def training_clips(self) -> dict[str, Any]:
        """Return what the training clips are: dataset, number, versions and augmentation, as plain data."""
        clips = len(self.clips("train"))
        return {
            "dataset": self.manifest.sha256,
            "clips": min(self.train_clips or clips, clips),
            "versions": self._versions(clips) if self.cache_tokens else None,  # None: others in each step
            "augment": None if self.augment is None else spec_of(self.augment),
        }

    def context_tokens(self, split: str, frames: int) -> Tensor:
        """Return tokens of the first frames of each clip, encoded without the later frames.

        Args:
            split: Name of the split.
            frames: Number of frames, n; a multiple of the frames of a token.

        Returns:
            ``(N, s, h, w)``, in the smallest integer type of torch that holds the codebook.
        """
        return self._cache().tokens(self.clips(split), device=self._device(), frames=frames)[:, 0]

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Convert the clips of a batch, if any, to model input; outside of training, encode them."""
        if "video" not in batch:
            return batch
        converted = super().on_after_batch_transfer(batch, dataloader_idx)
        if self.trainer is not None and self.trainer.training:
            return converted
        assert self.tokenizer is not None
        video = converted.pop("video")
        if self.context is not None:
            video = video[:, :, : self.context].contiguous()
        return converted | {"tokens": self.tokenizer.encode(video)}

    def tokens_of(self, batch: Batch) -> Tensor:
        """Return the tokens of a batch, int64 ``(B, t, h, w)``; clips are augmented and encoded first."""
        if "tokens" in batch:
            return batch["tokens"]
        assert self.tokenizer is not None
        video = batch["video"]
        if self.augment is not None:
            video, _ = self.augment(video, estimate_background(video))
        return self.tokenizer.encode(video)

    def _versions(self, clips: int) -> int:
        if self.versions != "auto":
            return self.versions
        return 1 if self.augment is None else min(max(EXAMPLES // max(clips, 1), 1), MOST_VERSIONS)

    def _cache(self) -> TokenCache:
        assert self.tokenizer is not None
        return TokenCache(self.tokenizer, self.token_folder, self.tracker)

    def _device(self) -> torch.device | None:
        return self.trainer.strategy.root_device if self.trainer else None

    @staticmethod
    def _columns(clips: Clips) -> dict[str, Tensor]:
        return {name: column for name, column in clips.columns.items() if name != "background"}
