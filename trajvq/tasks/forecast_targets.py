"""ForecastTargets: what predictions of a split are compared with: true, tracked and reconstructed positions."""

from collections.abc import Iterable, Mapping
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
    """The clips of one split beside their predictions.

    Args:
        data: Of the run.
        split: Name of the split.
        tokenizer: Of the run.
        context: Frames of context, n.
        horizon: Frames predicted.
        device: Where to decode.
    """

    def __init__(
        self,
        data: TokenDataModule,
        split: str,
        tokenizer: FrozenTokenizer,
        context: int,
        horizon: int,
        device: torch.device,
    ) -> None:
        self.data, self.split, self.clips = data, split, data.clips(split)
        self.tokenizer, self.context, self.frames, self.device = tokenizer, context, context + horizon, device

    def compare(self, index: Tensor, rows: Mapping[str, Bytes]) -> dict[str, Any]:
        """Return the figures of predicted frames that `ForecastPredictions` collects.

        Args:
            index: int64 ``(B,)`` numbers of the clips.
            rows: uint8 ``(B, M, 3, H, W)`` predicted frames, by the name of their row.
        """
        truth, positions, valid = self._future(index)
        return compare_frames(truth, positions, valid, rows, self.context, index.numpy(force=True))

    def samples(self, index: Tensor, videos: Iterable[Bytes]) -> dict[str, Any]:
        """Return the positions of objects in samples, ``(R, K, M, 2)``; empty without any.

        Args:
            index: int64 ``(B,)`` numbers of the clips.
            videos: uint8 ``(B, M, 3, H, W)`` predicted frames of every sample.
        """
        truth, positions, valid = self._future(index)
        objects, future = Objects.in_context(valid, self.context), positions[:, self.context :]
        paths = [objects.take(follow(track_against(truth, video, self.context), future)) for video in videos]
        return {"samples": np.stack(paths, axis=1)} if paths else {}

    def frames_of_baselines(self, index: Tensor) -> dict[str, Bytes]:
        """Return the frames of the rows that have some, uint8 ``(B, M, 3, H, W)`` by name; see `continue_frames`.

        ``tokenizer`` is the reconstruction of the true frames, where the clips are long enough.
        """
        batch = self.clips.batch(index.tolist())
        video = to_float(batch["video"])
        context = video[:, :, : self.context]
        rows = continue_frames(context, background_of(batch | {"video": context}), self.frames - self.context)
        if self.frames <= video.shape[2]:
            reconstruction = self._reconstruct(index, video.to(self.device))
            rows["tokenizer"] = to_uint8(reconstruction[:, :, self.context : self.frames])
        return rows

    def sources(self, index: Tensor, context: Tensor) -> dict[str, Any]:
        """Return what the baselines start from: positions tracked in clips and in their reconstructions, and labels.

        Args:
            index: int64 ``(B,)`` numbers of the clips.
            context: float ``(B, 3, n, H, W)``, the decoded context alone.
        """
        truth, video = self._truth(index)
        positions, valid = identities(truth)
        objects = Objects.in_context(valid, self.context)
        tracked, reconstructed, from_context = (
            objects.take(tracked_objects(truth, positions, to_uint8(clips)))
            for clips in (video, self._reconstruct(index, video), context)
        )
        reconstructed[:, : self.context] = from_context  # as the model has it: without the frames to come
        sources = {"tracked": pad_or_cut(tracked, self.frames), "reconstructed": pad_or_cut(reconstructed, self.frames)}
        return sources | labels_of(objects, {name: column[index.cpu()] for name, column in self.clips.columns.items()})

    def baselines(self, classes: list[str]) -> Baselines:
        """Return the baselines: paths of training clips, and the noise of each source on this split."""
        data, train_paths = self.data, np.zeros((0, 0, 2))
        if "train" in data.manifest.splits:
            train_paths = paths_of(data.clips("train"), data.train_clips)
        parts = torch.split(torch.arange(len(self.clips)), data.eval_batch_size)
        clips = ((index, *self._truth(index)) for index in parts)
        calibration = calibration_paths(
            (truth, [to_uint8(video), to_uint8(self._reconstruct(index, video))]) for index, truth, video in clips
        )
        size = (data.manifest.height, data.manifest.width)
        moves = moves_of(path_symmetries(data.augment)) if len(train_paths) else Moves()
        return Baselines(train_paths, calibration, classes, data.manifest.ranges, size, data.manifest.frames, moves)

    def _future(self, index: Tensor) -> tuple[Truth, Floats, NDArray[np.bool_]]:
        """Return the truth of some clips, and positions ``(B, F, K, 2)`` and validity in all frames to predict."""
        truth, _ = self._truth(index)
        frames, stored = self.frames, truth.pixel.shape[1]
        positions, valid = identities(truth)
        positions, valid = pad_or_cut(positions, frames), pad_or_cut(valid, frames, False).astype(bool)
        if frames > stored:  # beyond the clip's end its equation says where the object is
            longer = extrapolate_paths(self.clips, index.numpy(force=True), frames)
            if longer is not None:
                positions[:, stored:] = longer[:, stored:]
                valid[:, stored:] = np.isfinite(longer[:, stored:]).all(axis=-1)
        return truth, positions, valid

    def _truth(self, index: Tensor) -> tuple[Truth, Tensor]:
        """Return truth and video ``(B, 3, T, H, W)`` of some clips."""
        batch = self.clips.batch(index.tolist())
        video = to_float(batch["video"])
        return truth_of(batch | {"video": video}), video.to(self.device)

    def _reconstruct(self, index: Tensor, video: Tensor) -> Tensor:
        """Return the reconstruction of whole clips, from the cache where there is one."""
        if not self.data.cache_tokens:
            return self.tokenizer.decode(self.tokenizer.encode(video))
        tokens = self.data.tokens(self.split).tokens[index.cpu(), 0].long()
        return self.tokenizer.decode(tokens.to(self.device))


def moves_of(symmetries: PathAugmentation) -> Moves:
    """Return how the row ``nearest_clip`` may move the paths of training clips, as the training does."""
    if isinstance(symmetries, PathSymmetries):
        return Moves(anywhere=True)
    if isinstance(symmetries, ClipSymmetries):
        return Moves(symmetries=tuple(symmetries.symmetries), shift=symmetries.shift)
    return Moves()
