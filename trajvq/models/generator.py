"""Generator: a trajectory model, an appearance model and a token model composed into one model of clips.

First the trajectory model says where the object is in every frame and the appearance model its radius and color, then
the token model tells the clip, given both. Each part can be left out or replaced by a class of the user's own.

B clips, T frames; t, h, w tokens over latent frames, rows and columns.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from trajvq.models.appearance import AppearanceModel
from trajvq.models.autoregressive_tokens import AutoregressiveTokens
from trajvq.models.cells import fill_gaps
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import Conditions, Generated, TokenModel, class_ids
from trajvq.models.trajectory_model import TrajectoryModel
from trajvq.models.transformer import TokenLayout


class Generator(nn.Module):
    """A model of clips. Layers are created by `build`, when the tokens are known.

    Args:
        tokens: A `TokenModel`; None for `AutoregressiveTokens` with its default settings.
        trajectory: A `TrajectoryModel`; None for tokens alone.
        appearance: The radius and color of the object; None leaves them to the tokens.

    Raises:
        ValueError: If a part lacks a method of its protocol, or there is an appearance without a trajectory.
    """

    def __init__(
        self,
        tokens: nn.Module | None = None,
        trajectory: nn.Module | None = None,
        appearance: AppearanceModel | None = None,
    ) -> None:
        super().__init__()
        tokens = AutoregressiveTokens() if tokens is None else tokens
        for part, protocol in ((tokens, TokenModel), (trajectory, TrajectoryModel)):
            if part is not None and not isinstance(part, protocol):
                missing = [name for name in _members(protocol) if not hasattr(part, name)]
                raise ValueError(f"{type(part).__name__} is not a {protocol.__name__}: it lacks {', '.join(missing)}")
        if appearance is not None and trajectory is None:
            raise ValueError("network.appearance needs network.trajectory: without tracks no object is known")
        self.tokens, self.trajectory, self.appearance = tokens, trajectory, appearance

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
            tracks = self.trajectory_model.snap(fill_gaps(_required(conditions.tracks, "tracks")))
        if self.appearance is not None:
            appearance = self.appearance.snap(_required(conditions.appearance, "appearance"))
        return self.token_model.log_likelihood(tokens, replace(conditions, tracks=tracks, appearance=appearance))

    def trajectory_log_likelihood(self, tracks: Tensor, label: Tensor | None) -> Tensor:
        """Return the log-likelihood ``(B,)`` of tracks ``(B, T, 2)``; gaps (NaN) are filled first."""
        assert self.trajectory_model is not None
        labels = class_ids(label, len(tracks), self.classes, tracks.device)
        return self.trajectory_model.log_probability(fill_gaps(tracks), labels).sum(dim=1)

    def trajectory_loss(self, tracks: Tensor, context: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the trajectory model's score of the frames after the context; see `TrajectoryModel.loss`."""
        assert self.trajectory_model is not None
        labels = class_ids(label, len(tracks), self.classes, tracks.device)
        return self.trajectory_model.loss(tracks, context, labels)

    def appearance_log_likelihood(self, appearance: Tensor, label: Tensor | None) -> Tensor:
        """Return the log-likelihood ``(B,)`` of appearances ``(B, 4)``."""
        assert self.appearance is not None
        labels = class_ids(label, len(appearance), self.classes, appearance.device)
        return self.appearance.log_probability(appearance, labels)

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
        tracks = prefix.new_zeros((len(generators), 0, 2), dtype=torch.float32)
        appearance = None
        if prefix.shape[1]:
            if self.trajectory is not None:
                tracks = fill_gaps(_required(conditions.tracks, "tracks").to(prefix.device))
            if self.appearance is not None:
                appearance = self.appearance.snap(_required(conditions.appearance, "appearance").to(prefix.device))
        elif self.appearance is not None and conditions.appearance is not None:
            appearance = self.appearance.snap(conditions.appearance.to(prefix.device))
        while tokens.shape[1] < frames:
            first = max(tokens.shape[1] - (length - 1), 0)
            window, steps = tokens[:, first:], min(frames - first, length)
            window_tracks = None
            if self.trajectory_model is not None:
                start, points = tracks[:, first * self.layout.frames :], steps * self.layout.frames
                window_tracks = self.trajectory_model.sample(start, points, label, sampling, generators)
                tracks = torch.cat([tracks, window_tracks[:, start.shape[1] :]], dim=1)
            if self.appearance is not None and appearance is None:
                appearance = self.appearance.sample(label, sampling, generators)
            window_conditions = Conditions(label, window_tracks, appearance)
            sampled = self.token_model.generate(window, steps, window_conditions, sampling, generators)
            tokens = torch.cat([tokens, sampled[:, window.shape[1] :]], dim=1)
        return Generated(tokens, tracks if self.trajectory is not None else None, appearance)


def _members(protocol: type) -> list[str]:
    return [name for name in (*protocol.__annotations__, *vars(protocol)) if not name.startswith("_")]


def _required(condition: Tensor | None, name: str) -> Tensor:
    if condition is None:
        raise ValueError(f"the network is conditioned on {name}: set data.tracks, or network.trajectory to null")
    return condition
