"""ForecastTargets: what predictions of a split are compared with: true, tracked and reconstructed positions."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajvq.augment import ClipSymmetries, PathAugmentation, PathSymmetries, path_symmetries
from trajvq.data.synthetic.extrapolate import extrapolate_paths
from trajvq.io.arrays import Bytes, Floats
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.forecast.baselines import Baselines, calibration_paths
from trajvq.metrics.forecast.frames import continue_frames
from trajvq.metrics.forecast.nearest import Moves
from trajvq.metrics.forecast.objects import Objects, follow, identities, labels_of, paths_of
from trajvq.metrics.forecast.predictions import compare_frames, track_against, tracked_objects
from trajvq.metrics.forecast.scoreboard import pad_or_cut
from trajvq.metrics.reconstruction.truth import Truth, background_of, truth_of
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.frozen import FrozenTokenizer


class ForecastTargets:
    """The clips of one batch beside their predictions.

    Args:
        data: Of the run.
        split: Name of the split.
        index: int64 ``(B,)`` numbers of the clips.
        tokenizer: Of the run.
        context: Frames of context, n.
        horizon: Frames predicted.
        device: Where to decode.
    """

    def __init__(
        self,
        data: TokenDataModule,
        split: str,
        index: Tensor,
        tokenizer: FrozenTokenizer,
        context: int,
        horizon: int,
        device: torch.device,
    ) -> None:
        self.data, self.split, self.clips, self.index = data, split, data.clips(split), index.cpu()
        self.tokenizer, self.context, self.frames, self.device = tokenizer, context, context + horizon, device
        batch = self.clips.batch(index.tolist())
        self.batch = batch | {"video": to_float(batch["video"])}

    def compare(self, rows: Mapping[str, Bytes]) -> dict[str, Any]:
        """Return the figures of predicted frames that `ForecastPredictions` collects.

        Args:
            rows: uint8 ``(B, M, 3, H, W)`` predicted frames, by the name of their row.
        """
        return compare_frames(self._truth, *self._future, rows, self.context, self.index.numpy())

    def samples(self, videos: Iterable[Bytes]) -> dict[str, Any]:
        """Return the positions of objects in samples, ``(R, K, M, 2)``; empty without any.

        Args:
            videos: uint8 ``(B, M, 3, H, W)`` predicted frames of every sample.
        """
        positions, valid = self._future
        objects, future = Objects.in_context(valid, self.context), positions[:, self.context :]
        paths = [objects.take(follow(track_against(self._truth, video, self.context), future)) for video in videos]
        return {"samples": np.stack(paths, axis=1)} if paths else {}

    def frames_of_baselines(self) -> dict[str, Bytes]:
        """Return the frames of the rows that have some, uint8 ``(B, M, 3, H, W)`` by name; see `continue_frames`.

        ``tokenizer`` is the reconstruction of the true frames, where the clips are long enough.
        """
        context = self.batch["video"][:, :, : self.context]
        rows = continue_frames(context, background_of(self.batch | {"video": context}), self.frames - self.context)
        if self.frames <= self.batch["video"].shape[2]:
            rows["tokenizer"] = to_uint8(self._reconstruction[:, :, self.context : self.frames])
        return rows

    def sources(self, context: Tensor) -> dict[str, Any]:
        """Return what the baselines start from: positions tracked in clips and in their reconstructions, and labels.

        Args:
            context: float ``(B, 3, n, H, W)``, the decoded context alone.
        """
        positions, valid = identities(self._truth)
        objects = Objects.in_context(valid, self.context)
        tracked, reconstructed, from_context = (
            objects.take(tracked_objects(self._truth, positions, to_uint8(clips)))
            for clips in (self.batch["video"], self._reconstruction, context)
        )
        reconstructed[:, : self.context] = from_context  # as the model has it: without the frames to come
        sources = {"tracked": pad_or_cut(tracked, self.frames), "reconstructed": pad_or_cut(reconstructed, self.frames)}
        return sources | labels_of(objects, {name: column[self.index] for name, column in self.clips.columns.items()})

    def calibration(self) -> tuple[Truth, list[Bytes]]:
        """Return the truth, the clips and their reconstructions, as `calibration_paths` takes them."""
        return self._truth, [to_uint8(self.batch["video"]), to_uint8(self._reconstruction)]

    @cached_property
    def _truth(self) -> Truth:
        return truth_of(self.batch)

    @cached_property
    def _future(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Positions ``(B, F, K, 2)`` and validity in all frames to predict."""
        frames, stored = self.frames, self._truth.pixel.shape[1]
        positions, valid = identities(self._truth)
        positions, valid = pad_or_cut(positions, frames), pad_or_cut(valid, frames, False).astype(bool)
        if frames > stored:  # beyond the clip's end its equation says where the object is
            longer = extrapolate_paths(self.clips, self.index.numpy(), frames)
            if longer is not None:
                positions[:, stored:] = longer[:, stored:]
                valid[:, stored:] = np.isfinite(longer[:, stored:]).all(axis=-1)
        return positions, valid

    @cached_property
    def _reconstruction(self) -> Tensor:
        """Reconstruction of the whole clips, from the cache where there is one."""
        if not self.data.cache_tokens:
            return self.tokenizer.decode(self.tokenizer.encode(self.batch["video"].to(self.device)))
        tokens = self.data.tokens(self.split).tokens[self.index, 0].long()
        return self.tokenizer.decode(tokens.to(self.device))


def baselines_of(data: TokenDataModule, batches: Iterable[ForecastTargets], classes: list[str]) -> Baselines:
    """Return the baselines: paths of training clips, and the noise of each source in the clips of some batches."""
    train_paths = np.zeros((0, 0, 2))
    if "train" in data.manifest.splits:
        train_paths = paths_of(data.clips("train"), data.train_clips)
    calibration = calibration_paths(targets.calibration() for targets in batches)
    size = (data.manifest.height, data.manifest.width)
    moves = moves_of(path_symmetries(data.augment)) if len(train_paths) else Moves()
    return Baselines(train_paths, calibration, classes, data.manifest.ranges, size, data.manifest.frames, moves)


def moves_of(symmetries: PathAugmentation) -> Moves:
    """Return how the row ``nearest_clip`` may move the paths of training clips, as the training does."""
    if isinstance(symmetries, PathSymmetries):
        return Moves(anywhere=True)
    if isinstance(symmetries, ClipSymmetries):
        return Moves(symmetries=tuple(symmetries.symmetries), shift=symmetries.shift)
    return Moves()
