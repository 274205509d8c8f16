"""The looks: what clips show beside the path. Adding a look is one subclass of `Look` with `@look` on it.

N clips, T frames, H rows, W columns. All arithmetic on pixels is on integers.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.random import raw_bits, uniforms
from trajvq.data.synthetic.ranges import Range
from trajvq.data.synthetic.render import render_discs
from trajvq.io.arrays import Bytes, Floats

WHITE = 255


@dataclass(frozen=True)
class Scene:
    """What is to be drawn.

    Attributes:
        seed: Seed of the dataset.
        split: Split the clips are of.
        start: Index of the first of the N clips.
        pixel: ``(N, T, 2)`` centres (x, y) in pixels.
        radius: ``(N, T)`` radii in pixels.
        color: ``(N, 3)`` RGB.
    """

    seed: int
    split: str
    start: int
    pixel: Floats
    radius: Floats
    color: Bytes


class Look(ABC):
    """How scenes are drawn.

    Attributes:
        name: As in the manifest.
        ranges: What is drawn by lot for a clip, for the manifest.
    """

    name: ClassVar[str]
    ranges: ClassVar[dict[str, Range]] = {}

    @abstractmethod
    def draw(self, scene: Scene, video: Bytes) -> dict[str, NDArray[Any]]:
        """Draw N clips.

        Args:
            scene: What they show.
            video: ``(N, T, 3, H, W)`` uint8, to be filled.

        Returns:
            The columns ``background`` and ``occluded``.
        """


STYLES: dict[str, Look] = {}


def look(cls: type[Look]) -> type[Look]:
    """Register a look under its name."""
    STYLES[cls.name] = cls()
    return cls


@look
class Plain(Look):
    """A disc on white."""

    name = "plain"

    def draw(self, scene: Scene, video: Bytes) -> dict[str, NDArray[Any]]:
        video.fill(WHITE)
        render_discs(video, scene.pixel, scene.radius, scene.color)
        return {
            "background": np.full((len(video), 3), WHITE, dtype=np.uint8),
            "occluded": np.zeros(video.shape[:2], dtype=bool),
        }


@look
class Outlined(Plain):
    """A disc with a black outline of one pixel, on white."""

    name = "outlined"

    def draw(self, scene: Scene, video: Bytes) -> dict[str, NDArray[Any]]:
        columns = super().draw(Scene(**{**vars(scene), "color": np.zeros_like(scene.color)}), video)
        render_discs(video, scene.pixel, scene.radius - 1, scene.color)
        return columns


@look
class Hard(Look):
    """Textured or gradient backgrounds, still distractor discs, an occluding bar, changing light, sensor noise.

    The stored background holds the distractors and the bar, in neutral light and without noise.
    """

    name = "hard"
    ranges: ClassVar[dict[str, Range]] = {
        "ground": Range(170, 235, "mean level of each channel of the background"),
        "relief": Range(10, 40, "levels by which a gradient or texture departs from it, at most"),
        "texture": Range(0, 1, "below 0.5 a gradient, else a texture"),
        "distractors": Range(1, 4, "distractor discs, rounded down"),
        "occluder": Range(0, 1, "below 0.5 a bar crosses the path"),
        "bar": Range(2, 6, "width of the bar in pixels of a 64 px frame"),
        "bar_time": Range(0.2, 0.8, "time at which the object is behind the bar"),
        "bar_upright": Range(0, 1, "below 0.5 the bar stands, else it lies"),
        "light": Range(-0.1, 0.1, "change of brightness from the first frame to the last"),
        "noise": Range(1, 5, "standard deviation of the sensor noise, levels"),
    }
    MOST = 3  # distractors
    GRID = 6  # knots of a texture, each way
    HIDDEN = 0.35  # share of a disc that must be seen; the tracker asks for 0.3 of its area

    def draw(self, scene: Scene, video: Bytes) -> dict[str, NDArray[Any]]:
        count, _, _, height, width = video.shape
        names, knots = list(self.ranges), 3 * self.GRID**2
        draws = uniforms(
            scene.seed, f"{scene.split}/look", scene.start, scene.start + count, 16 + knots + 8 * self.MOST
        )
        drawn = {name: self.ranges[name](draws[:, k]) for k, name in enumerate(names)}
        background = self._ground(drawn, draws[:, 16 : 16 + knots], height, width)
        self._distract(background, drawn["distractors"].astype(int), draws[:, 16 + knots :])
        bar = self._bar(drawn, scene, height, width)
        shade = np.rint(draws[:, 12:15] * 120).astype(np.uint8)
        background = np.where(bar[:, None], shade[:, :, None, None], background)
        video[:] = background[:, None]
        seen = render_discs(video, scene.pixel, scene.radius, scene.color, hidden=bar)
        self._shoot(scene, video, drawn)
        return {"background": background, "occluded": seen < self.HIDDEN}

    def _ground(self, drawn: dict[str, Floats], knots: Floats, height: int, width: int) -> Bytes:
        """Return ``(N, 3, H, W)`` gradients and textures: knots on a grid, linear in between."""
        grid = np.rint((2 * knots - 1) * 1024).astype(np.int64).reshape(-1, 3, self.GRID, self.GRID)
        smooth = drawn["texture"] < 0.5
        corners = grid[:, :, :: self.GRID - 1, :: self.GRID - 1]
        rows, columns = _between(2, height), _between(2, width)
        gradient = np.einsum("hi,ncij,wj->nchw", rows, corners, columns) >> 20
        rows, columns = _between(self.GRID, height), _between(self.GRID, width)
        texture = np.einsum("hi,ncij,wj->nchw", rows, grid, columns, optimize=True) >> 20
        relief = np.rint(drawn["relief"]).astype(np.int64)[:, None, None, None]
        level = np.rint(drawn["ground"]).astype(np.int64)[:, None, None, None]
        made = level + (np.where(smooth[:, None, None, None], gradient, texture) * relief >> 10)
        return np.asarray(made.clip(0, 255), dtype=np.uint8)

    def _distract(self, background: Bytes, discs: NDArray[np.int64], draws: Floats) -> None:
        height, width = background.shape[-2:]
        lots = draws.reshape(len(background), self.MOST, 8)
        for number in range(self.MOST):
            rows = np.flatnonzero(discs > number)
            lot = lots[rows, number]
            radius = np.rint((0.02 + 0.05 * lot[:, 0]) * width * 1024) / 1024
            place = np.rint(lot[:, 1:3] * [width, height] * 1024) / 1024
            color = np.rint(20 + 160 * lot[:, 3:6]).astype(np.uint8)
            part = background[rows][:, None]
            if len(rows):
                render_discs(part, place[:, None], radius[:, None], color)
                background[rows] = part[:, 0]

    @staticmethod
    def _bar(drawn: dict[str, Floats], scene: Scene, height: int, width: int) -> NDArray[np.bool_]:
        """Return ``(N, H, W)``: pixels of the bar."""
        frames = scene.pixel.shape[1]
        moment = np.rint(drawn["bar_time"] * (frames - 1)).astype(int)
        x, y = np.floor(scene.pixel[np.arange(len(moment)), moment]).astype(int).T
        wide = np.rint(drawn["bar"] * width / 64).astype(int)
        across = np.abs(2 * (np.arange(width) - x[:, None])) < wide[:, None]
        down = np.abs(2 * (np.arange(height) - y[:, None])) < wide[:, None]
        upright = drawn["bar_upright"] < 0.5
        bar = np.where(upright[:, None, None], across[:, None, :], down[:, :, None])
        return np.asarray(bar & (drawn["occluder"] < 0.5)[:, None, None])

    @staticmethod
    def _shoot(scene: Scene, video: Bytes, drawn: dict[str, Floats]) -> None:
        """Change the light over time and add noise: a sum of four even ones, about Gaussian."""
        frames, pixels = video.shape[1], video[0].size
        ramp = np.linspace(-0.5, 0.5, frames)
        gain = np.rint(1024 * (1 + drawn["light"][:, None] * ramp)).astype(np.int32)
        spread = np.rint(drawn["noise"] * 1024 / 147.8).astype(np.int32)  # the sum's own deviation is 147.8
        for number, clip in enumerate(video):
            bits = raw_bits(scene.seed, f"{scene.split}/noise", (scene.start + number) * pixels // 2, pixels // 2)
            noise = bits.view(np.uint8).reshape(-1, 4).sum(axis=1, dtype=np.int32) - 510
            lit = clip * gain[number][:, None, None, None] + noise.reshape(clip.shape) * spread[number] + 512
            clip[:] = np.clip(lit >> 10, 0, 255)


def _between(knots: int, size: int) -> NDArray[np.int64]:
    """Return ``(size, knots)`` weights of linear interpolation, in 1/1024."""
    place = np.arange(size) * (knots - 1) * 1024 // (size - 1)
    first = np.minimum(place // 1024, knots - 2)
    share = place - first * 1024
    weights = np.zeros((size, knots), dtype=np.int64)
    weights[np.arange(size), first] = 1024 - share
    weights[np.arange(size), first + 1] = share
    return weights
