"""Styles: how a preset renders its clips. To add one, subclass `Style` and decorate the subclass with `@style`.

N clips, T frames, K objects, H rows, W columns. All pixel arithmetic uses integers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.random import BLOCK, raw_bits, uniforms
from trajvq.data.synthetic.ranges import Range
from trajvq.data.synthetic.render import render_discs
from trajvq.io.arrays import Bytes, Floats

WHITE = 255
ELSEWHERE = -1000.0  # px, where objects are that a clip does not have


@dataclass(frozen=True)
class Scene:
    """What the frames of N consecutive clips show.

    Attributes:
        seed: Seed of the dataset.
        split: Split of the clips.
        start: Index of the first clip.
        pixel: ``(N, T, K, 2)`` centers (x, y) in pixels; NaN where a clip has fewer objects.
        radius: ``(N, T, K)`` radii in pixels.
        color: ``(N, K, 3)`` RGB.
        depth: ``(N, T, K)`` distances from the camera; NaN where a clip has fewer objects.
    """

    seed: int
    split: str
    start: int
    pixel: Floats
    radius: Floats
    color: Bytes
    depth: Floats

    def layers(self) -> Iterator["Layer"]:
        """Yield one object of every frame after another, the farthest first."""
        order = np.argsort(-np.nan_to_num(self.depth, nan=np.inf), axis=-1, kind="stable")
        missing = np.isnan(self.radius)
        pixel = np.where(missing[..., None], ELSEWHERE, self.pixel)
        radius = np.where(missing, 0.0, self.radius)
        color = np.broadcast_to(self.color[:, None], (*self.radius.shape, 3))
        for rank in range(order.shape[-1]):
            chosen = order[..., rank, None]
            yield Layer(
                chosen,
                np.take_along_axis(pixel, chosen[..., None], axis=2)[:, :, 0],
                np.take_along_axis(radius, chosen, axis=2)[..., 0],
                np.take_along_axis(color, chosen[..., None], axis=2)[:, :, 0],
            )


@dataclass(frozen=True)
class Layer:
    """One object of every frame of a scene.

    Attributes:
        index: ``(N, T, 1)`` number of the object.
        pixel: ``(N, T, 2)`` centers; outside the picture where there is no object.
        radius: ``(N, T)`` radii.
        color: ``(N, T, 3)`` RGB.
    """

    index: NDArray[np.int64]
    pixel: Floats
    radius: Floats
    color: Bytes


class Style(ABC):
    """A way to render scenes.

    Attributes:
        name: Name that presets and error messages use.
        ranges: Ranges of the random parameters of a clip, recorded in the manifest.
    """

    name: ClassVar[str]
    ranges: ClassVar[dict[str, Range]] = {}

    @abstractmethod
    def render(self, scene: Scene, video: Bytes) -> dict[str, NDArray[Any]]:
        """Render N clips in place.

        Args:
            scene: What they show.
            video: ``(N, T, 3, H, W)`` uint8, overwritten.

        Returns:
            The columns ``background``, uint8 ``(N, 3)`` or ``(N, 3, H, W)``, and ``occluded``, bool ``(N, T, K)``:
            objects that something else than another object hides.
        """


STYLES: dict[str, Style] = {}


def style(cls: type[Style]) -> type[Style]:
    """Register a style under its name."""
    STYLES[cls.name] = cls()
    return cls


@style
class Plain(Style):
    """A disc on white."""

    name = "plain"

    def render(self, scene: Scene, video: Bytes) -> dict[str, NDArray[Any]]:
        video.fill(WHITE)
        for layer in scene.layers():
            self.render_object(layer, video)
        return {
            "background": np.full((len(video), 3), WHITE, dtype=np.uint8),
            "occluded": np.zeros(scene.radius.shape, dtype=bool),
        }

    def render_object(self, layer: Layer, video: Bytes) -> None:
        """Render one object of every frame in place."""
        render_discs(video, layer.pixel, layer.radius, layer.color)


@style
class Outlined(Plain):
    """A disc on white with a black outline, one pixel wide."""

    name = "outlined"

    def render_object(self, layer: Layer, video: Bytes) -> None:
        render_discs(video, layer.pixel, layer.radius, np.zeros_like(layer.color))
        render_discs(video, layer.pixel, layer.radius - 1, layer.color)


@style
class Hard(Style):
    """Textured or gradient backgrounds, static distractor discs, an occluding bar, changing light and sensor noise.

    The ``background`` column includes the distractors and the bar, without light change and noise.
    """

    name = "hard"
    ranges: ClassVar[dict[str, Range]] = {
        "ground": Range(170, 235, "mean level of each channel of the background"),
        "relief": Range(10, 40, "largest deviation of a gradient or texture from that level"),
        "texture": Range(0, 1, "below 0.5: gradient; otherwise: texture"),
        "distractors": Range(1, 4, "number of distractor discs, rounded down"),
        "occluder": Range(0, 1, "below 0.5: a bar crosses the path"),
        "bar": Range(2, 6, "width of the bar in pixels of a 64 px frame"),
        "bar_time": Range(0.2, 0.8, "time at which the object is behind the bar"),
        "bar_upright": Range(0, 1, "below 0.5: vertical bar; otherwise: horizontal"),
        "light": Range(-0.1, 0.1, "change of brightness from the first frame to the last"),
        "noise": Range(1, 5, "standard deviation of the sensor noise, levels"),
    }
    MAX_DISTRACTORS = 3
    KNOTS = 6  # knots of a texture along each side
    MIN_VISIBLE = 0.35  # visible share below which the object counts as occluded; the tracker needs 0.3 of its area

    def render(self, scene: Scene, video: Bytes) -> dict[str, NDArray[Any]]:
        count, _, _, height, width = video.shape
        texture_size = 3 * self.KNOTS**2
        numbers = uniforms(
            scene.seed,
            f"{scene.split}/look",  # the purpose fixes the pixels of all datasets: do not rename
            scene.start,
            scene.start + count,
            16 + texture_size + 8 * self.MAX_DISTRACTORS,
        )
        params = {name: interval(numbers[:, k]) for k, (name, interval) in enumerate(self.ranges.items())}
        background = self._background(params, numbers[:, 16 : 16 + texture_size], height, width)
        self._add_distractors(background, params["distractors"].astype(int), numbers[:, 16 + texture_size :])
        bar = self._bar(params, scene, height, width)
        bar_color = np.rint(numbers[:, 12:15] * 120).astype(np.uint8)
        background = np.where(bar[:, None], bar_color[:, :, None, None], background)
        video[:] = background[:, None]
        visible = np.empty(scene.radius.shape)
        for layer in scene.layers():
            share = render_discs(video, layer.pixel, layer.radius, layer.color, hidden=bar)
            np.put_along_axis(visible, layer.index, share[..., None], axis=2)
        self._add_light_and_noise(scene, video, params)
        return {"background": background, "occluded": visible < self.MIN_VISIBLE}

    def _background(self, params: dict[str, Floats], knots: Floats, height: int, width: int) -> Bytes:
        """Return ``(N, 3, H, W)`` gradients and textures: random knots on a grid, interpolated linearly."""
        grid = np.rint((2 * knots - 1) * 1024).astype(np.int64).reshape(-1, 3, self.KNOTS, self.KNOTS)
        smooth = params["texture"] < 0.5
        corners = grid[:, :, :: self.KNOTS - 1, :: self.KNOTS - 1]
        rows, columns = _interpolation_weights(2, height), _interpolation_weights(2, width)
        gradient = np.einsum("hi,ncij,wj->nchw", rows, corners, columns) >> 20
        rows, columns = _interpolation_weights(self.KNOTS, height), _interpolation_weights(self.KNOTS, width)
        texture = np.einsum("hi,ncij,wj->nchw", rows, grid, columns, optimize=True) >> 20
        relief = np.rint(params["relief"]).astype(np.int64)[:, None, None, None]
        mean = np.rint(params["ground"]).astype(np.int64)[:, None, None, None]
        levels = mean + (np.where(smooth[:, None, None, None], gradient, texture) * relief >> 10)
        return np.asarray(levels.clip(0, 255), dtype=np.uint8)

    def _add_distractors(self, background: Bytes, discs: NDArray[np.int64], numbers: Floats) -> None:
        height, width = background.shape[-2:]
        numbers = numbers.reshape(len(background), self.MAX_DISTRACTORS, 8)
        for disc in range(self.MAX_DISTRACTORS):
            clips = np.flatnonzero(discs > disc)
            if not len(clips):
                continue
            u = numbers[clips, disc]
            radius = np.rint((0.02 + 0.05 * u[:, 0]) * min(height, width) * 1024) / 1024
            center = np.rint(u[:, 1:3] * [width, height] * 1024) / 1024
            color = np.rint(20 + 160 * u[:, 3:6]).astype(np.uint8)
            frames = background[clips][:, None]
            render_discs(frames, center[:, None], radius[:, None], color)
            background[clips] = frames[:, 0]

    @staticmethod
    def _bar(params: dict[str, Floats], scene: Scene, height: int, width: int) -> NDArray[np.bool_]:
        """Return ``(N, H, W)``: the pixels of the bar, which crosses the path of the first object."""
        frames = scene.pixel.shape[1]
        frame = np.rint(params["bar_time"] * (frames - 1)).astype(int)
        x, y = np.floor(scene.pixel[np.arange(len(frame)), frame, 0]).astype(int).T
        thickness = np.rint(params["bar"] * min(height, width) / 64).astype(int)
        vertical = np.abs(2 * (np.arange(width) - x[:, None])) < thickness[:, None]
        horizontal = np.abs(2 * (np.arange(height) - y[:, None])) < thickness[:, None]
        upright = params["bar_upright"] < 0.5
        bar = np.where(upright[:, None, None], vertical[:, None, :], horizontal[:, :, None])
        return np.asarray(bar & (params["occluder"] < 0.5)[:, None, None])

    @staticmethod
    def _add_light_and_noise(scene: Scene, video: Bytes, params: dict[str, Floats]) -> None:
        """Change the brightness over time and add noise: the sum of four uniform bytes, close to Gaussian."""
        frames, pixels = video.shape[1], video[0].size
        count = math.ceil(pixels / (2 * BLOCK)) * BLOCK  # numbers of a clip, two pixels each
        ramp = np.linspace(-0.5, 0.5, frames)
        gain = np.rint(1024 * (1 + params["light"][:, None] * ramp)).astype(np.int32)
        noise_scale = np.rint(params["noise"] * 1024 / 147.8).astype(np.int32)  # the sum's own deviation is 147.8
        for number, clip in enumerate(video):
            bits = raw_bits(scene.seed, f"{scene.split}/noise", (scene.start + number) * count, count)
            noise = bits.view(np.uint8).reshape(-1, 4)[:pixels].sum(axis=1, dtype=np.int32) - 510
            levels = clip * gain[number][:, None, None, None] + noise.reshape(clip.shape) * noise_scale[number] + 512
            clip[:] = np.clip(levels >> 10, 0, 255)


def _interpolation_weights(knots: int, size: int) -> NDArray[np.int64]:
    """Return ``(size, knots)`` weights of linear interpolation, in units of 1/1024."""
    position = np.arange(size) * (knots - 1) * 1024 // (size - 1)
    first = np.minimum(position // 1024, knots - 2)
    fraction = position - first * 1024
    weights = np.zeros((size, knots), dtype=np.int64)
    weights[np.arange(size), first] = 1024 - fraction
    weights[np.arange(size), first + 1] = fraction
    return weights
