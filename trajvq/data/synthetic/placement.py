"""Place several paths before one camera, and say where one cannot see an object.

Paths keep their shape: each is turned and moved as a rigid body until it has the sampled speed, direction and position
in the picture. Its orientation is its own, so the acceleration of a thrown object is constant, but not vertical.

N clips, K objects, M = N * K paths, clip by clip, T frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.camera import EDGE, UNIT, apparent_radius, oriented
from trajvq.data.synthetic.motion import TURN
from trajvq.data.synthetic.ranges import Range
from trajvq.io.arrays import Floats

# What each object of several in a clip samples besides its appearance.
SCENE: dict[str, Range] = {
    "leaves": Range(0, 1, "below 0.2: the object is outside the picture in some frames"),
    "stays": Range(0.75, 0.95, "share of frames in which the center of such an object is inside"),
    "edge": Range(0, 1, "edge that such an object crosses: below 0.5 left or top; otherwise right or bottom"),
}
OWN_NUMBERS = 4  # uniform numbers per object: the number of objects, from the first alone, then those of SCENE
LEAVES = 0.2
LEAST_FOCAL = 1.5  # sides of the picture, so that objects near its edges are not seen too aslant
ROUNDS = 8  # of turning, scaling and moving the paths, each of which changes the others a little
SLACK = 0.05  # px that objects keep from the edges, more than what is left to correct after these rounds
GAP = 2.5  # px between the outlines of two discs below which they touch: their pixels are then neighbors
WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # (right, down, forward) as (x, y, z), z up
CAMERA = [0.0, 0.0, 0.0, *WORLD.T.reshape(-1)]  # at the origin; columns as in `trajvq.data.synthetic.camera.COLUMNS`


@dataclass(frozen=True)
class Placement:
    """Where M paths are.

    Attributes:
        rotation: ``(M, 3, 3)`` rotations of the paths.
        shift: ``(M, 3)`` world units, added after the rotation.
        camera: ``(N, Q)`` cameras.
    """

    rotation: Floats
    shift: Floats
    camera: Floats


def place_objects(
    position: Floats,
    best_view: Floats,
    appearance: Mapping[str, Floats],
    scene: Mapping[str, Floats],
    exists: NDArray[np.bool_],
    height: int,
    width: int,
) -> Placement:
    """Place the paths of each clip before its camera.

    All objects of a clip share a focal length. An object that is slower in the picture is therefore farther away.

    Args:
        position: ``(M, T, 3)`` world coordinates of each path in a frame of its own.
        best_view: ``(M, 3)`` unit vectors towards the camera that sees most of each path.
        appearance: ``(M,)`` sampled values by name, see `trajvq.data.synthetic.ranges.APPEARANCE`.
        scene: ``(M,)`` sampled values by name, see `SCENE`.
        exists: ``(N, K)``, as of `sample_scene`.
        height: Picture height in pixels.
        width: Picture width in pixels.

    Raises:
        ValueError: If a path of the sampled length does not fit into the picture.
    """
    (count, most), side = exists.shape, min(height, width)
    center, extent, axes = oriented(position, best_view, appearance)
    local = np.einsum("mtx,max->mta", position - center[:, None], axes)
    distance, target = appearance["distance"] * extent[:, 0], appearance["speed"] * side
    length = _length(_project(_before_camera(local, distance, _facing(np.zeros((len(local), 2))))))
    focal = np.where(exists, (target / length).reshape(count, most), 0.0).max(axis=1)
    focal = np.maximum(focal, LEAST_FOCAL * side)
    shared = np.repeat(focal, most)
    distance *= shared * length / target
    turn, ray, principal = np.zeros(len(local)), np.zeros((len(local), 2)), np.array([width, height]) / 2
    for _ in range(ROUNDS):
        points = _before_camera(local @ _roll(turn).swapaxes(1, 2), distance, _facing(ray))
        flat = shared[:, None, None] * _project(points)
        step = flat[:, 1] - flat[:, 0]
        turn += TURN * appearance["direction"] - np.arctan2(step[:, 1], step[:, 0])
        distance *= _length(flat) / target
        radius = apparent_radius(appearance["size"][:, None] * side, points[..., 2])
        ray += (_offset(flat, radius, appearance, scene, (width, height)) - principal) / shared[:, None]
    facing = _facing(ray)
    rotation = WORLD @ facing @ _roll(turn) @ axes
    shift = distance[:, None] * facing[..., 2] @ WORLD.T - np.einsum("max,mx->ma", rotation, center)
    camera = np.column_stack([np.tile(CAMERA, (count, 1)), focal, np.tile(principal, (count, 1))])
    return Placement(rotation, shift, camera)


def sample_scene(uniform: Floats) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """Return ``(M,)`` values by name, see `SCENE`, and which objects exist.

    Args:
        uniform: ``(N, K, OWN_NUMBERS)`` uniform numbers in [0, 1).

    Returns:
        The values, and bool ``(N, K)``: the first of K, at least one.
    """
    most = uniform.shape[1]
    scene = {name: interval(uniform[..., 1 + k].reshape(-1)) for k, (name, interval) in enumerate(SCENE.items())}
    return scene, np.asarray(np.arange(most) <= most * uniform[:, :1, 0])


def occlusion(pixel: Floats, radius: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Return where an object cannot be seen by itself and whole: it is outside or cut by an edge, or touches another.

    Args:
        pixel: ``(N, T, K, 2)`` centers in pixels; NaN where a clip has fewer objects.
        radius: ``(N, T, K)`` pixels.
        height: Picture height in pixels.
        width: Picture width in pixels.

    Returns:
        ``(N, T, K)`` bool; false where there is no object.
    """
    extent = radius[..., None] + EDGE
    cut = ((pixel - extent < 0) | (pixel + extent > [width, height])).any(axis=-1)
    distance = np.linalg.norm(pixel[:, :, :, None] - pixel[:, :, None], axis=-1)
    touches = distance < radius[..., None] + radius[:, :, None] + GAP
    touches &= ~np.eye(radius.shape[-1], dtype=bool)
    return np.asarray(cut | touches.any(axis=-1))


def _facing(ray: Floats) -> Floats:
    """Return ``(M, 3, 3)`` rotations of the line of sight to rays through points ``(M, 2)`` at focal length 1."""
    x, y = (ray / np.sqrt(1 + np.square(ray).sum(axis=1, keepdims=True))).T
    z = np.sqrt(1 - x**2 - y**2)
    rows = [1 - x**2 / (1 + z), -x * y / (1 + z), x, -x * y / (1 + z), 1 - y**2 / (1 + z), y, -x, -y, z]
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


def _before_camera(local: Floats, distance: Floats, facing: Floats) -> Floats:
    """Return paths ``(M, T, 3)`` seen from the front at a distance along a ray."""
    return np.asarray(local @ facing.swapaxes(1, 2) + (distance[:, None] * facing[..., 2])[:, None])


def _project(points: Floats) -> Floats:
    """Project points before the camera with focal length 1."""
    return np.asarray(points[..., :2] / points[..., 2:])


def _length(flat: Floats) -> Floats:
    return np.asarray(np.linalg.norm(np.diff(flat, axis=1), axis=-1).sum(axis=1))


def _roll(angle: Floats) -> Floats:
    """Return ``(M, 3, 3)`` rotations around the line of sight."""
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], axis=-1).reshape(-1, 3, 3)


def _offset(
    flat: Floats, radius: Floats, appearance: Mapping[str, Floats], scene: Mapping[str, Floats], size: tuple[int, int]
) -> Floats:
    """Return ``(M, 2)`` px to add to paths: inside the picture, or across an edge where the object leaves it."""
    extent = (radius + EDGE + 1 / UNIT + SLACK)[..., None]
    low, high = (extent - flat).max(axis=1), (np.array(size) - extent - flat).min(axis=1)
    if np.any(low > high):
        row = int(np.argmax((low - high).max(axis=-1)))
        raise ValueError(
            f"a path of {_length(flat[row : row + 1])[0]:.1f} px with an object of radius {radius[row].max():.1f} px "
            f"does not fit into {size[0]}x{size[1]} pixels; use a larger picture"
        )
    offset = low + (high - low) * np.stack([appearance["pan_x"], appearance["pan_y"]], axis=-1)
    leaves = np.flatnonzero(scene["leaves"] < LEAVES)
    axis = np.ptp(flat, axis=1).argmax(axis=-1)[leaves]
    along = np.sort(flat[leaves, :, axis], axis=1)
    rank = np.rint(scene["stays"][leaves] * (flat.shape[1] - 1)).astype(int)
    first = scene["edge"][leaves] < 0.5
    rank = np.where(first, flat.shape[1] - 1 - rank, rank)
    offset[leaves, axis] = np.where(first, 0, np.array(size)[axis]) - along[np.arange(len(leaves)), rank]
    return np.asarray(offset)
