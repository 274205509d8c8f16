"""Generator: a trajectory model, an appearance model and a token model composed into one model of clips.

First the trajectory model says where each object is in every frame and the appearance model its radius and color, then
the token model tells the clip, given both. Each part can be left out or replaced by a class of the user's own. The
objects of a clip are independent of each other, given its class.

B clips, K objects, T frames; t, h, w tokens over latent frames, rows and columns.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from trajvq.models.appearance import AppearanceModel
from trajvq.models.autoregressive_tokens import AutoregressiveTokens
from trajvq.models.cells import fill_objects
from trajvq.models.sampling import Sampling, inverse_cdf, uniforms
from trajvq.models.token_model import Conditions, Generated, TokenModel, class_ids
from trajvq.models.track_denoiser import TrackDenoiser
from trajvq.models.trajectory_model import TrajectoryModel
from trajvq.models.transformer import TokenLayout


class Generator(nn.Module):
    """A model of clips. Layers are created by `build`, when the tokens are known.

    Args:
        tokens: A `TokenModel`; None for `AutoregressiveTokens` with its default settings.
        trajectory: A `TrajectoryModel` of each object; None for tokens alone.
        appearance: The radius and color of each object; None leaves them to the tokens.
        denoiser: Takes the noise off tracks that are sampled without a context; None leaves them as they are. It is
            dropped where there is no trajectory.
        objects: K, the largest number of objects in a clip; how many there are is learned by class. ``auto``: as many
            as the task finds in training clips, without a task one.

    Raises:
        ValueError: If a part lacks a method of its protocol, or there is an appearance without a trajectory.
    """

    def __init__(
        self,
        tokens: nn.Module | None = None,
        trajectory: nn.Module | None = None,
        appearance: AppearanceModel | None = None,
        objects: int | Literal["auto"] = "auto",
        denoiser: TrackDenoiser | None = None,
    ) -> None:
        super().__init__()
        if objects != "auto" and objects < 1:
            raise ValueError(f"network.objects is {objects}; give at least 1, and no network.trajectory for none")
        tokens = AutoregressiveTokens() if tokens is None else tokens
        for part, protocol in ((tokens, TokenModel), (trajectory, TrajectoryModel)):
            if part is not None and not isinstance(part, protocol):
                missing = [name for name in _members(protocol) if not hasattr(part, name)]
                raise ValueError(f"{type(part).__name__} is not a {protocol.__name__}: it lacks {', '.join(missing)}")
        if appearance is not None and trajectory is None:
            raise ValueError("network.appearance needs network.trajectory: without tracks no object is known")
        self.tokens, self.trajectory, self.appearance = tokens, trajectory, appearance
        self.objects, self.denoiser = objects, None if trajectory is None else denoiser

    def build(self, layout: TokenLayout, classes: int) -> None:
        """Create the layers with fresh weights.

        Args:
            layout: Of the tokens.
            classes: Number of classes; 0 where clips have none.
        """
        self.layout, self.classes = layout, classes
        has_tracks, has_appearance = self.trajectory is not None, self.appearance is not None
        self.token_model.build(layout, classes, tracks=has_tracks, appearance=has_appearance)
        if self.trajectory_model is not None:
            self.trajectory_model.build(layout, classes)
        if self.appearance is not None:
            self.appearance.build(classes)
        if self.denoiser is not None:
            self.denoiser.build(layout, classes)
        several = has_tracks and self.count > 1
        self.number = nn.Parameter(torch.zeros(classes + 1, self.count)) if several else None

    @property
    def count(self) -> int:
        """K, the largest number of objects in a clip."""
        return 1 if self.objects == "auto" else self.objects

    @property
    def token_model(self) -> TokenModel:
        """The part that models tokens."""
        assert isinstance(self.tokens, TokenModel)
        return self.tokens

    @property
    def trajectory_model(self) -> TrajectoryModel | None:
        """The part that models tracks, if there is one."""
        assert self.trajectory is None or isinstance(self.trajectory, TrajectoryModel)
        return self.trajectory

    def token_log_likelihood(self, tokens: Tensor, conditions: Conditions) -> dict[str, Tensor]:
        """Return the log-likelihood of tokens alone, given tracks and appearance; see `TokenModel.log_likelihood`.

        Raises:
            ValueError: If a condition is missing that the network was built for.
        """
        tracks, appearance = None, None
        if self.trajectory_model is not None:
            tracks = self._snapped(_required(conditions.tracks, "tracks"))
        if self.appearance is not None:
            appearance = self.appearance.snap(_required(conditions.appearance, "appearance").nan_to_num())
        return self.token_model.log_likelihood(tokens, replace(conditions, tracks=tracks, appearance=appearance))

    def _snapped(self, tracks: Tensor) -> Tensor:
        """Return tracks ``(B, K, T, 2)`` without gaps, as the trajectory model represents them."""
        assert self.trajectory_model is not None
        filled = fill_objects(tracks)
        return self.trajectory_model.snap(filled.flatten(0, 1)).view_as(filled)

    def trajectory_log_likelihood(self, tracks: Tensor, label: Tensor | None) -> Tensor:
        """Return the log-likelihood ``(B,)`` of the tracks ``(B, K, T, 2)`` of all objects, and of their number.

        Gaps (NaN) are filled first.
        """
        assert self.trajectory_model is not None
        labels = class_ids(label, len(tracks), self.classes, tracks.device)
        filled = fill_objects(tracks)
        exists, of_object = _objects(filled, labels)
        each = self.trajectory_model.log_probability(filled[exists], of_object).sum(dim=1)
        return _by_clip(each, exists) + self._number_log_probability(exists.sum(dim=1), labels)

    def _number_log_probability(self, number: Tensor, label: Tensor) -> Tensor:
        """Return the natural log-probability ``(B,)`` of numbers of objects, int64 ``(B,)`` from 1 on."""
        if self.number is None:
            return torch.zeros(number.shape, device=number.device)
        logits = self.number[label].log_softmax(dim=-1)
        return logits.gather(1, number[:, None] - 1)[:, 0]

    def trajectory_loss(self, tracks: Tensor, context: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the trajectory model's score of the frames after the context; see `TrajectoryModel.loss`.

        Args:
            tracks: float ``(B, T, 2)``, of single objects.
            context: int64 ``(B,)``.
            label: int64 ``(B,)``; None where no class is known.
        """
        assert self.trajectory_model is not None
        labels = class_ids(label, len(tracks), self.classes, tracks.device)
        return self.trajectory_model.loss(tracks, context, labels)

    def denoising_loss(self, tracks: Tensor, label: Tensor | None) -> Tensor:
        """Return the denoiser's loss on the tracks ``(B, K, T, 2)`` of all objects."""
        assert self.denoiser is not None
        filled = fill_objects(tracks)
        exists, of_object = _objects(filled, class_ids(label, len(tracks), self.classes, tracks.device))
        return self.denoiser.loss(filled[exists], of_object)

    def appearance_log_likelihood(self, appearance: Tensor, label: Tensor | None) -> Tensor:
        """Return the log-likelihood ``(B,)`` of the appearances ``(B, K, 4)``; NaN for an object that is not there."""
        assert self.appearance is not None
        labels = class_ids(label, len(appearance), self.classes, appearance.device)
        exists, of_object = _objects(appearance, labels)
        return _by_clip(self.appearance.log_probability(appearance[exists], of_object), exists)

    def log_likelihood(self, tokens: Tensor, conditions: Conditions) -> dict[str, Tensor]:
        """Return the natural log-likelihood of clips in parts, each ``(B,)``; their sum is the clip's.

        The parts are ``trajectory`` and ``appearance``, where there are such models, and those of the token model.
        """
        parts: dict[str, Tensor] = {}
        if self.trajectory is not None:
            tracks = _required(conditions.tracks, "tracks")
            parts["trajectory"] = self.trajectory_log_likelihood(tracks, conditions.label)
        if self.appearance is not None:
            appearance = _required(conditions.appearance, "appearance")
            parts["appearance"] = self.appearance_log_likelihood(appearance, conditions.label)
        return parts | self.token_log_likelihood(tokens, conditions)

    @torch.no_grad()
    def generate(
        self,
        prefix: Tensor,
        frames: int,
        conditions: Conditions,
        sampling: Sampling,
        generators: Sequence[torch.Generator],
    ) -> Generated:
        """Return sampled clips. No clip depends on those sampled beside it.

        Args:
            prefix: int64 ``(B, s, h, w)``, the first latent frames, which are kept; s may be 0.
            frames: Latent frames, those of the prefix included. Beyond the length of training clips the last latent
                frames serve as the prefix of the next.
            conditions: Label, and where the prefix is not empty tracks and appearance in its frames.
            sampling: Temperature and the like.
            generators: One on the CPU for each clip.

        Raises:
            ValueError: If there is nothing to sample, or a condition is missing.
        """
        length = self.layout.grid[0]
        if frames < 1:
            raise ValueError(f"a clip of {frames} latent frames cannot be sampled; give at least 1")
        label, tokens = class_ids(conditions.label, len(generators), self.classes, prefix.device), prefix
        exists = self._existing(prefix, conditions, label, sampling, generators)
        tracks, appearance = None, conditions.appearance
        if self.trajectory is not None and prefix.shape[1]:
            tracks = fill_objects(_required(conditions.tracks, "tracks").to(prefix.device))
        elif self.trajectory is not None:
            tracks = torch.zeros((*exists.shape, 0, 2), device=prefix.device)
        if self.appearance is not None and (prefix.shape[1] or appearance is not None):
            appearance = self.appearance.snap(_required(appearance, "appearance").to(prefix.device).nan_to_num())
        while tokens.shape[1] < frames:
            first = max(tokens.shape[1] - (length - 1), 0)
            window, steps = tokens[:, first:], min(frames - first, length)
            window_tracks = None
            if tracks is not None:
                start, points = tracks[:, :, first * self.layout.frames :], steps * self.layout.frames
                window_tracks = self._continued(start, points, exists, label, sampling, generators)
                tracks = torch.cat([tracks, window_tracks[:, :, start.shape[2] :]], dim=2)
            if self.appearance is not None and appearance is None:
                each = [self.appearance.sample(label, sampling, generators) for _ in range(self.count)]
                appearance = torch.stack(each, dim=1)
            window_conditions = Conditions(label, window_tracks, appearance)
            sampled = self.token_model.generate(window, steps, window_conditions, sampling, generators)
            tokens = torch.cat([tokens, sampled[:, window.shape[1] :]], dim=1)
        return Generated(tokens, tracks, appearance)

    def _existing(
        self,
        prefix: Tensor,
        conditions: Conditions,
        label: Tensor,
        sampling: Sampling,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Return which objects there are, bool ``(B, K)``: those of the prefix, or as many as are sampled.

        At a noise scale of 0 it is the likeliest number.
        """
        order = torch.arange(self.count, device=prefix.device)
        if prefix.shape[1] and conditions.tracks is not None:
            return fill_objects(conditions.tracks.to(prefix.device)).isfinite().all(dim=-1).all(dim=-1)
        if self.number is None:
            return (order == 0).expand(len(label), -1)
        probability = self.number[label].softmax(dim=-1).double()
        uniform = uniforms(generators, 1, prefix.device)
        sampled = inverse_cdf(probability, uniform)[:, 0]
        number = probability.argmax(dim=-1) if sampling.noise_scale == 0 else sampled
        return order <= number[:, None]

    def _continued(
        self,
        start: Tensor,
        frames: int,
        exists: Tensor,
        label: Tensor,
        sampling: Sampling,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Return tracks ``(B, K, frames, 2)`` that continue ``start``; NaN where there is no object."""
        assert self.trajectory_model is not None
        model = self.trajectory_model
        length = self.layout.grid[0] * self.layout.frames
        each = []
        for k in range(start.shape[1]):
            if self.denoiser is None or not sampling.denoise or start.shape[2]:
                track = model.sample(start[:, k].nan_to_num(), frames, label, sampling, generators)
            else:
                whole = model.sample(start[:, k], length, label, sampling, generators)
                track = self.denoiser.denoise(whole, label)[:, :frames]
            each.append(track)
        return torch.stack(each, dim=1).where(exists[..., None, None], torch.nan)


def _objects(values: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Return which objects of values ``(B, K, ...)`` there are, bool ``(B, K)``, and the label of each, ``(M,)``."""
    exists = values.flatten(2).isfinite().all(dim=-1)
    return exists, label[:, None].expand(exists.shape)[exists]


def _by_clip(values: Tensor, exists: Tensor) -> Tensor:
    """Return the sum over the objects of each clip, ``(B,)``, of values ``(M,)`` of those that exist ``(B, K)``."""
    return values.new_zeros(exists.shape).masked_scatter(exists, values).sum(dim=1)


def _members(protocol: type) -> list[str]:
    return [name for name in (*protocol.__annotations__, *vars(protocol)) if not name.startswith("_")]


def _required(condition: Tensor | None, name: str) -> Tensor:
    if condition is None:
        raise ValueError(f"the network is conditioned on {name}: set data.tracks, or network.trajectory to null")
    return condition
