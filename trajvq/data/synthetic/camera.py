"""A perspective camera that frames the whole path: world coordinates to pixels and radii.

Picture coordinates have x to the right and y down; the centre of the first pixel is (0.5, 0.5).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trajvq.data.synthetic.motion import TURN, perpendicular
from trajvq.io.arrays import Floats

UNIT = 1024  # positions and radii are multiples of 1/UNIT px, so that drawing is exact
EDGE = 0.5  # an anti-aliased edge reaches half a pixel beyond the radius

COLUMNS = [
    *(f"position_{a}" for a in "xyz"),
    *(f"right_{a}" for a in "xyz"),
    *(f"down_{a}" for a in "xyz"),
    *(f"forward_{a}" for a in "xyz"),
    "focal",
    "centre_x",
    "centre_y",
]


@dataclass(frozen=True)
class View:
    """What the camera sees of N clips.

    Attributes:
        pixel: ``(N, T, 2)`` true (x, y) in pixels, multiples of 1/1024.
        radius: ``(N, T)`` apparent radius in pixels, multiples of 1/1024.
        camera: ``(N, K)`` camera parameters, named by `COLUMNS`.
    """

    pixel: Floats
    radius: Floats
    camera: Floats


def project(position: Floats, camera: Floats) -> tuple[Floats, Floats]:
    """Project world points through pinhole cameras.

    Args:
        position: ``(N, T, 3)`` world coordinates.
        camera: ``(N, K)`` cameras, columns as in `COLUMNS`.

    Returns:
        ``(N, T, 2)`` pixels and ``(N, T)`` depths in world units.
    """
    axes = camera[:, 3:12].reshape(-1, 3, 3)
    seen = np.einsum("ntx,nax->nta", position - camera[:, None, :3], axes)
    depth = seen[..., 2]
    pixel = camera[:, None, 12:13] * seen[..., :2] / depth[..., None] + camera[:, None, 13:15]
    return pixel, depth


def frame(position: Floats, best_view: Floats, look: Mapping[str, Floats], height: int, width: int) -> View:
    """Place a camera so that each path has the drawn size, speed, direction and place in the picture.

    Args:
        position: ``(N, T, 3)`` world coordinates.
        best_view: ``(N, 3)`` unit vectors along which each path shows best.
        look: ``(N,)`` drawn values by name, see `trajvq.data.synthetic.ranges.LOOK`.
        height: Picture height in pixels.
        width: Picture width in pixels.

    Raises:
        ValueError: If a path of the drawn length cannot be inside the picture.
    """
    centre = (position.max(axis=1) + position.min(axis=1)) / 2
    extent = np.linalg.norm(position - centre[:, None], axis=-1).max(axis=1, keepdims=True)
    first, second = perpendicular(best_view)
    tilt, around = np.deg2rad(look["view_tilt"])[:, None], np.deg2rad(look["view_azimuth"])[:, None]
    toward = np.cos(tilt) * best_view + np.sin(tilt) * (np.cos(around) * first + np.sin(around) * second)
    right, down = perpendicular(-toward)
    eye = centre + look["distance"][:, None] * extent * toward

    # Roll the camera until the first step heads where it should; zoom until the path is as long as it should be.
    zeros, ones = np.zeros((len(eye), 2)), np.ones((len(eye), 1))
    flat, depth = project(position, np.concatenate([eye, right, down, -toward, ones, zeros], axis=-1))
    steps = np.diff(flat, axis=1)
    roll = TURN * look["direction"] - np.arctan2(steps[:, 0, 1], steps[:, 0, 0])
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    right, down = cos * right - sin * down, sin * right + cos * down
    focal = look["speed"] * width / np.linalg.norm(steps, axis=-1).sum(axis=1)
    flat = focal[:, None, None] * np.stack(
        [cos * flat[..., 0] - sin * flat[..., 1], sin * flat[..., 0] + cos * flat[..., 1]], axis=-1
    )
    radius = look["size"][:, None] * width / depth / (1 / depth).mean(axis=1, keepdims=True)

    room = np.array([width, height], dtype=float)
    reach = (radius + EDGE + 1 / UNIT)[..., None]
    low, high = (reach - flat).max(axis=1), (room - reach - flat).min(axis=1)
    if np.any(low > high):
        fault = int(np.argmax((low - high).max(axis=-1)))
        raise ValueError(
            f"a path of {look['speed'][fault] * width:.1f} px with an object of radius "
            f"{radius[fault].max():.1f} px does not fit into {width}x{height} pixels; use a wider picture"
        )
    shift = low + (high - low) * np.stack([look["pan_x"], look["pan_y"]], axis=-1)
    camera = np.concatenate([eye, right, down, -toward, focal[:, None], shift], axis=-1)
    return View(pixel=_exact(flat + shift[:, None]), radius=_exact(radius), camera=camera)


def look_along(
    position: Floats, toward: Floats, up: Floats, radius: Floats, room: Floats, size: int, distance: float = 5.0
) -> View:
    """Place a camera so that each path is centred and fills the room it is given, seen from one side.

    Args:
        position: ``(N, T, 3)`` coordinates in any unit.
        toward: ``(1, 3)`` unit vector from the path to the camera.
        up: ``(3,)`` vector that points up in the picture.
        radius: ``(N,)`` mean apparent radii in pixels.
        room: ``(N,)`` pixels from the centre of the picture that a path may reach, right or down.
        size: Height and width of the picture in pixels.
        distance: Of the camera, in radii of the path.
    """
    centre = (position.max(axis=1) + position.min(axis=1)) / 2
    extent = np.linalg.norm(position - centre[:, None], axis=-1).max(axis=1, keepdims=True)
    extent = np.where(extent > 0, extent, 1.0)  # an object at rest
    right = np.cross(up, toward)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    axes = np.concatenate([right, np.cross(right, toward), -toward], axis=-1)
    eye = centre + distance * extent * toward
    zeros = np.zeros((len(eye), 2))
    camera = np.concatenate([eye, np.broadcast_to(axes, (len(eye), 9)), np.ones((len(eye), 1)), zeros], axis=-1)
    flat, depth = project(position, camera)
    middle = (flat.max(axis=1) + flat.min(axis=1)) / 2
    reach = np.abs(flat - middle[:, None]).max(axis=(1, 2))
    focal = np.where(reach > 0, room / np.where(reach > 0, reach, 1.0), 1.0)
    camera[:, 12], camera[:, 13:] = focal, size / 2 - focal[:, None] * middle
    pixel = focal[:, None, None] * (flat - middle[:, None]) + size / 2
    return View(_exact(pixel), _exact(radius[:, None] / depth / (1 / depth).mean(axis=1, keepdims=True)), camera)


def _exact(value: Floats) -> Floats:
    return np.asarray(np.rint(value * UNIT) / UNIT)
