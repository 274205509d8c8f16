"""Score reconstructions of any program against a dataset split, with the figures of the package's own models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import read_column
from trajvq.data.synthetic.chart import PRESET as CHART
from trajvq.io.video import to_uint8
from trajvq.metrics.reconstruction.codes import probe_figures
from trajvq.metrics.reconstruction.scoreboard import scoreboard_for
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.submissions.chart import EyeChartFigures
from trajvq.metrics.submissions.submission import Submission
from trajvq.metrics.submissions.tokens import SubmittedTokens

CODE_WIDTH = 8  # channels of the random vector that represents a code in the probe


def score_reconstructions(path: Path, clips: Clips) -> dict[str, Any]:
    """Return the scoreboard of a file of reconstructions.

    Args:
        path: See `Submission`.
        clips: The split that was reconstructed. For an eye chart, the scoreboard has an `EyeChart` under ``"chart"``.
    """
    submission = Submission(path, clips)
    tokens = submission.tokens
    figures = scoreboard_for(clips, tokens.sizes, tokens.strides) if tokens else scoreboard_for(clips, None, (1, 1, 1))
    chart = EyeChartFigures() if clips.manifest.preset == CHART else None
    for batch, video, indices in submission.batches():
        figures.update(batch, video, indices)
        if chart:
            chart.update(truth_of(batch), to_uint8(video))
    scoreboard = figures.compute()
    if chart:
        params = read_column(clips.folder, clips.manifest, clips.split, "params")
        assert params is not None
        scoreboard["chart"] = chart.compute(params[:, 0])
    remarks: list[str] = []
    if scoreboard["rows"]["model"]["mse"] == 0:
        remarks.append("all clips equal those of the split; 'video' is for the reconstructions")
    if tokens is not None and "label" in clips.columns:
        probe, left_out = _probe(tokens, clips.columns)
        remarks += left_out
        scoreboard["rows"]["model"] |= probe
    scoreboard["remarks"] = [*submission.remarks(), *scoreboard.get("remarks", ()), *remarks]
    return scoreboard


def _probe(tokens: SubmittedTokens, columns: Mapping[str, Tensor]) -> tuple[dict[str, float], list[str]]:
    """Return figures of a linear probe on random vectors of the codes, fitted on half of the clips, and remarks."""
    if len(columns["label"]) < 2:
        return {}, ["probe_accuracy is left out: a split of one clip has none to fit the probe on"]
    indices, count = tokens.numbered()
    table = torch.randn(count, CODE_WIDTH, generator=torch.Generator().manual_seed(0))
    codes = table[torch.from_numpy(indices)].flatten(1)
    half = torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))
    train, test = half[: len(half) // 2], half[len(half) // 2 :]
    positions = None
    if "pixel" in columns:
        path = columns["pixel"][:, :, 0]
        positions = path[train], path[test]
    label = columns["label"]
    return probe_figures((codes[train], codes[test]), positions, (label[train], label[test]))
