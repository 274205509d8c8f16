"""TokenDataModule: a dataset folder as batches of a frozen tokenizer's tokens."""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trajvq.data.datamodule import DEFAULT, Batch, TrajectoryDataModule
from trajvq.data.storage.clips import Batched, Clips, First
from trajvq.errors import UserError
from trajvq.tokens.cache import ROOT, TokenCache
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.tracks import as_appearance, as_path


class TokenClips:
    """Clips of one split as tokens, all of them in memory.

    Item ``k + N * v`` is version v of clip k of N. A batch holds ``tokens`` int64 ``(B, t, h, w)``, ``index``
    and the columns given.

    Args:
        tokens: ``(N, V, t, h, w)``, any integers.
        columns: ``(N, ...)`` of the clips, in every version alike.
        versioned: Other columns that differ between versions, ``(N, V, ...)``, by name.
        labelled: The first so many keep their label, and come up as often as all others together; the label of the
            others is -1.
    """

    def __init__(
        self,
        tokens: Tensor,
        columns: dict[str, Tensor],
        versioned: dict[str, Tensor] | None = None,
        labelled: int | None = None,
    ) -> None:
        self.tokens, self.columns, self.versioned = tokens, columns, versioned or {}
        self.items = torch.arange(len(tokens) * tokens.shape[1])
        if labelled is not None and labelled < len(tokens):
            clip = self.items % len(tokens)
            known = self.items[clip < labelled]
            often = (len(self.items) - len(known)) // len(known)
            self.items = torch.cat([self.items[clip >= labelled], known.repeat(max(often, 1))])
            hidden = torch.arange(len(tokens)) >= labelled
            self.columns = columns | {"label": columns["label"].masked_fill(hidden, -1)}

    def __len__(self) -> int:
        return len(self.items)

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return several clips as a batch."""
        items = self.items[indices]
        clip, version = items % len(self.tokens), items // len(self.tokens)
        made = {"tokens": self.tokens[clip, version].long(), "index": clip}
        made |= {name: column[clip, version] for name, column in self.versioned.items()}
        return made | {name: column[clip] for name, column in self.columns.items()}


class TokenDataModule(TrajectoryDataModule):
    """Tokens of a dataset folder in batches, encoded once and cached on disk.

    Batches are dictionaries: ``tokens`` int64 ``(B, t, h, w)``, ``index``, and the small columns of
    `trajvq.data.storage.clips.Clips`; in training of these only ``label``. Order and resuming are as in
    `TrajectoryDataModule`. Without the cache batches of training hold ``video`` instead of tokens, which the
    task augments and encodes.

    Args:
        path: Dataset folder, or its fsspec URL; see `TrajectoryDataModule`.
        batch_size: Clips a batch and device.
        eval_batch_size: Clips a batch and device in validation, test and prediction.
        num_workers: Loader processes; 0, since tokens are in memory.
        start_method: How loader processes start: fork, spawn or forkserver.
        seed: Seed of the order of the training clips.
        test_splits: Splits that ``test`` scores, each into a scoreboard of its own.
        predict_split: Split that ``predict`` runs on.
        train_clips: Train on the first so many clips only.
        cache_tokens: Encode each clip once and keep the tokens; False encodes at every step, for augmentation
            that never repeats.
        versions: Versions of each training clip in the cache: the clip itself, and what ``augment`` makes of it.
        augment: Augmentation in pixels that keeps labels, such as `trajvq.augment.ClipSymmetries`.
        tracks: Add ``tracks`` to batches of training: where the object is tracked in the clips that the tokens
            decode to, float ``(B, T, 2)``, x and y from -1 to 1 between the edges, NaN where nothing is seen; and
            ``look``, how it looks there, float ``(B, 4)``, see `trajvq.tokens.tracks.as_appearance`.
        eval_tracks: Add them outside of training too.
        labelled: Only the first so many training clips have a label; of the others only tokens and tracks are used.
        token_folder: Folder of all token caches.
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
        versions: int = 1,
        augment: nn.Module | None = None,
        tracks: bool = False,
        eval_tracks: bool = False,
        labelled: int | None = None,
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
        if versions < 1:
            raise ValueError(f"data.versions is {versions}; the clip itself is the first")
        if versions > 1 and augment is None:
            raise ValueError(f"data.versions is {versions} but data.augment is null; versions would all be alike")
        if (tracks or eval_tracks or labelled is not None) and not cache_tokens:
            raise ValueError("data.tracks, data.eval_tracks and data.labelled need data.cache_tokens")
        if labelled is not None and labelled < 1:
            raise ValueError(f"data.labelled is {labelled}; classes are learnt from labels")
        self.tracks, self.eval_tracks, self.labelled = tracks, eval_tracks, labelled
        self.cache_tokens, self.augment, self.token_folder = cache_tokens, augment, Path(token_folder)
        self.versions = versions
        self.tokenizer: FrozenTokenizer | None = None
        self._tokens: dict[tuple[str, bool], TokenClips] = {}

    def setup(self, stage: str) -> None:
        """Fetch the dataset of a URL, and take the task's tokenizer, unless one was given.

        Raises:
            UserError: If the task has no frozen one.
        """
        super().setup(stage)
        if self.tokenizer is None and self.trainer is not None:
            frozen: Any = self.trainer.lightning_module.tokenizer
            self.tokenizer = frozen
        if not isinstance(self.tokenizer, FrozenTokenizer):
            raise UserError("TokenDataModule feeds tasks on a frozen tokenizer; set data to TrajectoryDataModule")

    def source(self, split: str, train: bool = False) -> Batched:
        """Return the tokens of one split; its clips where they are encoded at every step."""
        return self.tokens(split, train) if self.cache_tokens else super().source(split, train)

    def tokens(self, split: str, train: bool = False) -> TokenClips:
        """Return the tokens of one split; for training those of the first ``train_clips``, in all versions.

        Raises:
            DataError: If the dataset does not have the split.
            UserError: If the cache cannot be written.
        """
        if (split, train) not in self._tokens:
            assert self.tokenizer is not None
            clips = self.clips(split)
            shown: Clips | First = First(clips, self.train_clips) if train and self.train_clips else clips
            device = self.trainer.strategy.root_device if self.trainer else None
            given = (clips, self.versions if train else 1, self.augment, device)
            cache, count = TokenCache(self.tokenizer, self.token_folder), len(shown)
            tokens = cache.tokens(*given)[:count]
            names = ("label",) if train else tuple(name for name in clips.columns if name != "background")
            columns = {name: clips.columns[name][:count] for name in names if name in clips.columns}
            versioned = {}
            if self.tracks if train else self.eval_tracks:
                seen, width = cache.seen(*given)[:count], self.manifest.width
                versioned = {
                    "tracks": as_path(seen[..., :2], self.manifest.height, width),
                    "appearance": as_appearance(seen, width),
                }
            self._tokens[split, train] = TokenClips(tokens, columns, versioned, self.labelled if train else None)
        return self._tokens[split, train]

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Turn clips into model input, where there are any; outside of training into tokens."""
        if "video" not in batch:
            return batch
        moved = super().on_after_batch_transfer(batch, dataloader_idx)
        if self.trainer is not None and self.trainer.training:
            return moved
        assert self.tokenizer is not None
        return {name: value for name, value in moved.items() if name != "video"} | {
            "tokens": self.tokenizer.encode(moved["video"])
        }

    def tokens_of(self, batch: Batch) -> Tensor:
        """Return the tokens of a batch, int64 ``(B, t, h, w)``; clips are augmented and encoded first."""
        if "tokens" in batch:
            return batch["tokens"]
        assert self.tokenizer is not None
        video: Any = batch["video"] if self.augment is None else self.augment(batch["video"])
        return self.tokenizer.encode(video)
