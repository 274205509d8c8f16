"""TrajectoryPredictor: all later positions of a clip at once, as samples of a network trained by a proper score.

The network takes noise beside the positions of the context. Two of its samples for each context are trained on the
energy score (Gneiting and Raftery, 2007; as in engression, Shen and Meinshausen, 2024): close to what happened, and as
far from each other as that is uncertain. Nothing is fed back, so errors do not accumulate along the way.

B clips, T frames, K samples, D channels; x and y from -1 to 1 between the edges of the picture.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.cells import fill_gaps
from trajvq.models.reference_frame import ReferenceFrame, side_of, unit
from trajvq.models.residual import ResidualLayer
from trajvq.models.sampling import Sampling, uniforms
from trajvq.models.transformer import TokenLayout
from trajvq.optim.geometric_median import geometric_median

MEDIAN_SAMPLES = 64  # samples whose geometric median is the single best prediction


class TrajectoryPredictor(nn.Module):
    """A `trajvq.models.trajectory_model.TrajectoryModel` without density: a sampler of the rest of a track.

    The network sees positions in a frame of reference at the end of the context, whose origin is the last position.
    Where clips look alike when they are turned and mirrored, the first axis is the direction of motion, and the second
    points to the side that the motion turns to, so that such tracks look alike. The center of the picture is a separate
    input. Classes are not used.

    Args:
        width: D.
        layers: Residual layers before noise is added.
        noisy_layers: Residual layers after.
        noise: Random numbers of a sample, at most 3 T.
        dropout: Share dropped in training before noise is added, alike in all samples of a context. After that it would
            be learned as a spread of the samples, which evaluation does not have.
        reference_frame: ``motion`` turns the axes as above, ``picture`` keeps those of the picture, ``auto`` chooses by
            the symmetries of training clips, see `adapt`. The direction of a slow motion is noisy, so turning costs
            more than it gains where motions are not alike in all directions.
    """

    fixed_noise: Tensor
    has_density = False

    def __init__(
        self,
        width: int = 192,
        layers: int = 3,
        noisy_layers: int = 2,
        noise: int = 16,
        dropout: float = 0.0,
        reference_frame: Literal["auto", "motion", "picture"] = "auto",
    ) -> None:
        super().__init__()
        self.width, self.layers, self.noisy_layers, self.noise = width, layers, noisy_layers, noise
        self.dropout, self.reference_frame = dropout, reference_frame

    def adapt(self, tracks: Tensor, symmetric: bool) -> str:
        """Choose the frame of reference, if it is ``auto``, by the clips' symmetries; see `AdaptiveTrajectory`."""
        if self.reference_frame == "auto":
            self.reference_frame = "motion" if symmetric else "picture"
        turned = "that turns with the motion" if self.reference_frame == "motion" else "with the axes of the picture"
        return f"paths: predicted in a frame {turned}"

    def build(self, layout: TokenLayout, classes: int) -> None:
        """Create the layers with fresh weights; see `TrajectoryModel.build`."""
        width, self.frames = self.width, layout.grid[0] * layout.frames
        self.numbers = min(self.noise, 3 * self.frames)
        self.embed = nn.Linear(2 * self.frames + 4, width)
        self.embed_context = nn.Embedding(self.frames + 1, width)
        self.body = nn.Sequential(*(ResidualLayer(width, self.dropout) for _ in range(self.layers)))
        self.embed_noise = nn.Linear(self.numbers, width, bias=False)
        self.noisy_body = nn.Sequential(*(ResidualLayer(width) for _ in range(self.noisy_layers)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * self.frames))
        for weight in (self.embed_context.weight, self.embed_noise.weight):
            nn.init.normal_(weight, std=0.05)  # small, or noise drowns the context at first
        noise = torch.randn(MEDIAN_SAMPLES, self.numbers, generator=torch.Generator().manual_seed(0))
        self.register_buffer("fixed_noise", noise, persistent=False)

    def forward(self, tracks: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """Return whole tracks ``(B, K, T, 2)``; frames of the context are reconstructed, not copied.

        Args:
            tracks: float ``(B, T, 2)``; frames after the context are ignored.
            context: int64 ``(B,)``, frames of the context, 1 to T.
            noise: float ``(B, K, numbers)``, standard normal.
        """
        last, frame = _reference_frame(tracks, context, turned=self.reference_frame != "picture")
        in_context = torch.arange(self.frames, device=tracks.device) < context[:, None]
        relative = torch.where(in_context[..., None], frame.into(tracks - last), 0.0)  # (B, T, 2)
        center, heading = frame.into(-last)[:, 0], frame.heading[:, 0]
        features = torch.cat([4 * relative.flatten(1), center, heading], dim=1)
        hidden = self.body(self.embed(features) + self.embed_context(context))
        predicted = self.head(self.noisy_body(hidden[:, None] + self.embed_noise(noise)))
        count, samples = noise.shape[:2]
        flat = frame.out_of(predicted.view(count, samples * self.frames, 2))
        positions: Tensor = last[:, None] + flat.view(count, samples, self.frames, 2)
        return positions

    def snap(self, tracks: Tensor) -> Tensor:
        """Return tracks as they are: there is no grid."""
        return tracks

    def log_probability(self, tracks: Tensor, label: Tensor) -> Tensor:
        """Raise an error.

        Raises:
            ValueError: Always: samples have no density.
        """
        raise ValueError("TrajectoryPredictor has no density; use PolynomialTrajectory where likelihoods count")

    def loss(self, tracks: Tensor, context: Tensor, label: Tensor) -> Tensor:
        """Return the mean energy score of two samples a clip; see `TrajectoryModel.loss`."""
        later = torch.arange(self.frames, device=tracks.device) >= context[:, None]
        start = fill_gaps(tracks.masked_fill(later[..., None], torch.nan))
        tracks = torch.where(later[..., None], tracks, start)
        scored = tracks.isfinite().all(dim=-1) & later
        tracks = tracks.nan_to_num()
        samples = self(tracks, context, torch.randn(len(tracks), 2, self.numbers, device=tracks.device))
        error = (samples - tracks[:, None]).norm(dim=-1).mean(dim=1)
        distance = (samples[:, 0] - samples[:, 1]).norm(dim=-1)
        score: Tensor = ((error - distance / 2) * scored).sum() / scored.sum().clamp(min=1)
        return score

    def sample(
        self, prefix: Tensor, frames: int, label: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Return tracks ``(B, frames, 2)`` that continue the prefix; see `TrajectoryModel.sample`.

        The noise scale multiplies the noise. At 0 each position is the geometric median of 64 samples, the best
        prediction where the mean distance counts.
        """
        context = prefix.shape[1]
        if context >= frames:
            return prefix[:, :frames]
        tracks = F.pad(prefix, (0, 0, 0, self.frames - context))
        lengths = torch.full((len(prefix),), context, device=prefix.device)
        if sampling.noise_scale == 0:
            samples = self(tracks, lengths, self.fixed_noise.expand(len(prefix), -1, -1))
            predicted = geometric_median(samples)
        else:
            uniform = uniforms(generators, self.numbers, prefix.device).clamp(1e-9, 1 - 1e-9)
            noise = torch.special.ndtri(uniform).to(prefix.dtype) * sampling.noise_scale
            predicted = self(tracks, lengths, noise[:, None])[:, 0]
        return torch.cat([prefix, predicted[:, context:frames]], dim=1)


def _reference_frame(tracks: Tensor, context: Tensor, turned: bool) -> tuple[Tensor, ReferenceFrame]:
    """Return the last position of the context ``(B, 1, 2)``, and axes for points ``(B, N, 2)``.

    If they are turned, the first is the direction of motion there, and the second points to the side it turns to.
    """

    def position(back: int) -> Tensor:
        frame = (context - 1 - back).clamp(min=0)[:, None, None].expand(-1, 1, 2)
        return tracks.gather(1, frame)

    last, before, earlier = position(0), position(2), position(5)
    if not turned:
        return last, ReferenceFrame(unit(torch.zeros_like(last)), torch.ones_like(last[..., 0]))
    return last, ReferenceFrame(unit(last - before), side_of(last - before, before - earlier))
