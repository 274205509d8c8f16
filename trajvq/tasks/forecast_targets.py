"""ForecastTargets: what predictions of a split are compared with: true, tracked and reconstructed positions."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from trajvq.data.synthetic.extrapolate import extrapolate_paths
from trajvq.io.video import to_float, to_uint8
from trajvq.metrics.forecast.baselines import Baselines, Paths
from trajvq.metrics.forecast.predictions import picture_figures, track_against
from trajvq.metrics.forecast.scoreboard import pad_or_cut
from trajvq.metrics.reconstruction.truth import Truth, truth_of
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

    def truth(self, index: Tensor) -> Truth:
        """Return the truth of some clips; stored, or tracked where none is stored."""
        return self._truth(index)[0]

    def compare(self, index: Tensor, predicted: Tensor) -> dict[str, Any]:
        """Return the figures of predicted clips that `ForecastPredictions` collects.

        Args:
            index: int64 ``(B,)`` numbers of the clips.
            predicted: float ``(B, 3, F, H, W)``, context included.
        """
        truth = self.truth(index)
        frames, stored = self.frames, truth.pixel.shape[1]
        positions, valid = pad_or_cut(truth.pixel[:, :, 0], frames), pad_or_cut(truth.valid[:, :, 0], frames, False)
        valid = valid.astype(bool)
        if frames > stored:  # beyond the clip's end its equation says where the object is
            longer = extrapolate_paths(self.clips, index.numpy(force=True), frames)
            if longer is not None:
                positions[:, stored:] = longer[:, stored:]
                valid[:, stored:] = np.isfinite(longer[:, stored:]).all(axis=-1)
        pictures = picture_figures(truth, to_uint8(predicted), positions, self.context)
        return {"index": index, "truth": positions, "valid": valid, **pictures}

    def sources(self, index: Tensor, context: Tensor) -> dict[str, Any]:
        """Return what the baselines start from: positions tracked in clips and in their reconstructions, and labels.

        Args:
            index: int64 ``(B,)`` numbers of the clips.
            context: float ``(B, 3, n, H, W)``, the decoded context alone.
        """
        truth, video = self._truth(index)
        reconstruction = self._reconstruct(index, video)
        clips = (video, reconstruction, context)
        tracked, reconstructed, from_context = (track_against(truth, to_uint8(c)).pixel[:, :, 0] for c in clips)
        reconstructed[:, : self.context] = from_context  # as the model has it: without the frames to come
        columns = {name: self.clips.columns[name] for name in ("label", "identifiable") if name in self.clips.columns}
        if "identifiable" in columns:
            columns["identifiable"] = columns["identifiable"][:, 0]
        return {
            "tracked": pad_or_cut(tracked, self.frames),
            "reconstructed": pad_or_cut(reconstructed, self.frames),
            **{name: column[index.cpu()] for name, column in columns.items()},
        }

    def baselines(self, classes: list[str]) -> Baselines:
        """Return the baselines: paths of training clips, and the noise of each source on this split."""
        data, train_paths = self.data, np.zeros((0, 0, 2))
        if "train" in data.manifest.splits and "pixel" in data.clips("train").columns:
            train_paths = data.clips("train").columns["pixel"][:, :, 0].numpy().astype(np.float64)[: data.train_clips]
        parts = []
        for index in torch.split(torch.arange(len(self.clips)), data.eval_batch_size):
            truth, video = self._truth(index)
            clips = (video, self._reconstruct(index, video))
            tracked = (track_against(truth, to_uint8(c)).pixel[:, :, 0] for c in clips)
            parts.append((truth.pixel[:, :, 0], truth.valid[:, :, 0], *tracked))
        calibration = Paths(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        size = (data.manifest.height, data.manifest.width)
        return Baselines(train_paths, calibration, classes, data.manifest.ranges, size, data.manifest.frames)

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
