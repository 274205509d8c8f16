"""A perspective camera that keeps the whole path in view: world coordinates to pixels and radii.

In the picture, x points right and y points down. The center of the first pixel is (0.5, 0.5).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trajvq.data.synthetic.motion import TURN, perpendicular
from trajvq.io.arrays import Floats

UNIT = 1024  # positions and radii are multiples of 1/UNIT px, so that rendering is exact
DISTANCE = 5.0  # of a camera from the center of a path, in radii of the path, where it is not sampled
EDGE = 0.5  # an anti-aliased edge extends half a pixel beyond the radius

COLUMNS = [
    *(f"position_{a}" for a in "xyz"),
    *(f"right_{a}" for a in "xyz"),
    *(f"down_{a}" for a in "xyz"),
    *(f"forward_{a}" for a in "xyz"),
    "focal",
    "center_x",
    "center_y",
]


@dataclass(frozen=True)
class View:
    """N paths as the camera sees them.

    Attributes:
        pixel: ``(N, T, 2)`` centers (x, y) in pixels, multiples of 1/1024.
        radius: ``(N, T)`` apparent radii in pixels, multiples of 1/1024.
        camera: ``(N, Q)`` camera parameters, named by `COLUMNS`.
    """

    pixel: Floats
    radius: Floats
    camera: Floats


def project(position: Floats, camera: Floats) -> tuple[Floats, Floats]:
    """Project world points through pinhole cameras.

    Args:
        position: ``(N, T, 3)`` world coordinates.
        camera: ``(N, Q)`` cameras, columns as in `COLUMNS`.

    Returns:
        ``(N, T, 2)`` pixels and ``(N, T)`` depths in world units.
    """
    axes = camera[:, 3:12].reshape(-1, 3, 3)
    in_camera = np.einsum("ntx,nax->nta", position - camera[:, None, :3], axes)
    depth = in_camera[..., 2]
    pixel = camera[:, None, 12:13] * in_camera[..., :2] / depth[..., None] + camera[:, None, 13:15]
    return pixel, depth


def depths(position: Floats, camera: Floats) -> Floats:
    """Return the depths ``(N, T, K)``, in world units, of points ``(N, T, K, 3)`` before cameras ``(N, Q)``."""
    return np.asarray(np.einsum("ntkx,nx->ntk", position - camera[:, None, None, :3], camera[:, 9:12]))


def apparent_radius(mean: Floats, depth: Floats) -> Floats:
    """Return radii in pixels ``(N, T)`` that are in inverse proportion to the depth ``(N, T)``.

    Args:
        mean: ``(N, 1)`` means over time.
        depth: ``(N, T)`` world units.
    """
    return np.asarray(mean / depth / (1 / depth).mean(axis=1, keepdims=True))


def see(position: Floats, camera: Floats, radius: Floats) -> View:
    """Return paths ``(M, T, 3)`` of objects of mean radii ``(M,)`` px, as given cameras ``(N, Q)`` see them.

    Each camera sees M / N consecutive paths.
    """
    pixel, depth = project(position, np.repeat(camera, len(position) // len(camera), axis=0))
    return View(_rounded(pixel), _rounded(apparent_radius(radius[:, None], depth)), camera)


def oriented(position: Floats, best_view: Floats, appearance: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Return how a camera is turned that looks at the center of a path; arguments as for `frame`.

    Returns:
        ``(N, 3)`` centers of the paths, ``(N, 1)`` distances of their farthest points from it, and ``(N, 3, 3)`` unit
        vectors of the camera: right, down and forward.
    """
    center = (position.max(axis=1) + position.min(axis=1)) / 2
    path_radius = np.linalg.norm(position - center[:, None], axis=-1).max(axis=1, keepdims=True)
    first, second = perpendicular(best_view)
    tilt, around = np.deg2rad(appearance["view_tilt"])[:, None], np.deg2rad(appearance["view_azimuth"])[:, None]
    toward = np.cos(tilt) * best_view + np.sin(tilt) * (np.cos(around) * first + np.sin(around) * second)
    right, down = perpendicular(-toward)
    return center, path_radius, np.stack([right, down, -toward], axis=1)


def frame(position: Floats, best_view: Floats, appearance: Mapping[str, Floats], height: int, width: int) -> View:
    """Place a camera so that each path has the sampled size, speed, direction and position in the picture.

    Sizes and speeds are shares of the picture's shorter side.

    Args:
        position: ``(N, T, 3)`` world coordinates.
        best_view: ``(N, 3)`` unit vectors towards the camera that sees most of each path.
        appearance: ``(N,)`` sampled values by name, see `trajvq.data.synthetic.ranges.APPEARANCE`.
        height: Picture height in pixels.
        width: Picture width in pixels.

    Raises:
        ValueError: If a path of the sampled length does not fit into the picture.
    """
    side = min(height, width)
    center, path_radius, axes = oriented(position, best_view, appearance)
    right, down, forward = axes.swapaxes(0, 1)
    eye = center - appearance["distance"][:, None] * path_radius * forward

    # Roll the camera so that the first step has the sampled direction; zoom so that the path has the sampled length.
    zeros, ones = np.zeros((len(eye), 2)), np.ones((len(eye), 1))
    flat, depth = project(position, np.concatenate([eye, right, down, forward, ones, zeros], axis=-1))
    steps = np.diff(flat, axis=1)
    roll = TURN * appearance["direction"] - np.arctan2(steps[:, 0, 1], steps[:, 0, 0])
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    right, down = cos * right - sin * down, sin * right + cos * down
    focal = appearance["speed"] * side / np.linalg.norm(steps, axis=-1).sum(axis=1)
    flat = focal[:, None, None] * np.stack(
        [cos * flat[..., 0] - sin * flat[..., 1], sin * flat[..., 0] + cos * flat[..., 1]], axis=-1
    )
    radius = apparent_radius(appearance["size"][:, None] * side, depth)

    frame_size = np.array([width, height], dtype=float)
    margin = (radius + EDGE + 1 / UNIT)[..., None]
    low, high = (margin - flat).max(axis=1), (frame_size - margin - flat).min(axis=1)
    if np.any(low > high):
        worst = int(np.argmax((low - high).max(axis=-1)))
        raise ValueError(
            f"a path of {appearance['speed'][worst] * side:.1f} px with an object of radius "
            f"{radius[worst].max():.1f} px does not fit into {width}x{height} pixels; use a larger picture"
        )
    shift = low + (high - low) * np.stack([appearance["pan_x"], appearance["pan_y"]], axis=-1)
    camera = np.concatenate([eye, right, down, forward, focal[:, None], shift], axis=-1)
    return View(pixel=_rounded(flat + shift[:, None]), radius=_rounded(radius), camera=camera)


def look_along(
    position: Floats, toward: Floats, up: Floats, radius: Floats, extent: Floats, size: tuple[int, int]
) -> View:
    """Place a camera on one side of each path so that the path is centered and has the requested extent.

    Args:
        position: ``(N, T, 3)`` coordinates in any unit.
        toward: ``(1, 3)`` unit vector from the path towards the camera.
        up: ``(3,)`` vector that points up in the picture.
        radius: ``(N,)`` mean apparent radii in pixels.
        extent: ``(N,)`` largest distance of a path from the center of the picture along x or y, in pixels.
        size: Width and height of the picture in pixels.
    """
    center = (position.max(axis=1) + position.min(axis=1)) / 2
    path_radius = np.linalg.norm(position - center[:, None], axis=-1).max(axis=1, keepdims=True)
    path_radius = np.where(path_radius > 0, path_radius, 1.0)  # an object that does not move
    right = np.cross(up, toward)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    axes = np.concatenate([right, np.cross(right, toward), -toward], axis=-1)
    eye = center + DISTANCE * path_radius * toward
    zeros = np.zeros((len(eye), 2))
    camera = np.concatenate([eye, np.broadcast_to(axes, (len(eye), 9)), np.ones((len(eye), 1)), zeros], axis=-1)
    flat, depth = project(position, camera)
    middle = (flat.max(axis=1) + flat.min(axis=1)) / 2
    half_size = np.abs(flat - middle[:, None]).max(axis=(1, 2))
    focal = np.where(half_size > 0, extent / np.where(half_size > 0, half_size, 1.0), 1.0)
    picture_center = np.array(size) / 2
    camera[:, 12], camera[:, 13:] = focal, picture_center - focal[:, None] * middle
    pixel = focal[:, None, None] * (flat - middle[:, None]) + picture_center
    return View(_rounded(pixel), _rounded(apparent_radius(radius[:, None], depth)), camera)


def _rounded(value: Floats) -> Floats:
    return np.asarray(np.rint(value * UNIT) / UNIT)
