"""The laws of measurement: a perfect copy of any clips is perfect, and a slightly noisy one nearly so."""

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy import ndimage

from tests.scenes import scene
from tests.scripts import load
from trajvq.data.imports.tracks import import_tracks
from trajvq.data.imports.videos import import_videos
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.presets import PRESETS
from trajvq.data.synthetic.render import render_discs
from trajvq.data.synthetic.scene import make_clips
from trajvq.errors import DataError
from trajvq.io.video import to_float
from trajvq.metrics.reconstruction.truth import Truth, truth_of
from trajvq.tokens import FrozenTokenizer

TRACKER_ERROR = 0.03  # px, on true renders
SETS = sorted(Path(os.environ["TRAJVQ_CLIPS"]).iterdir()) if "TRAJVQ_CLIPS" in os.environ else []


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("laws/laws.py", monkeypatch)


def check(script: ModuleType, truth: Truth, least_error: float = 0.0) -> None:
    """Check both laws; ``least_error`` px is what the tracker itself is off."""
    rows = script.laws([truth])
    assert truth.valid.any()
    assert rows["identity"]["visible"] == 1
    assert all(row["surplus"] <= 0.01 for row in rows.values())
    assert rows["identity"]["surplus"] == 0
    assert rows["identity"]["centroid_error"] <= least_error
    for copy in ("noise", "jpeg"):
        assert rows[copy]["visible"] >= 0.99
        assert rows[copy]["centroid_error"] <= least_error + 0.1


def truth_from(columns: dict[str, torch.Tensor], stored: bool) -> Truth:
    names = columns if stored else {"video", "background"}
    batch = {name: value for name, value in columns.items() if name in names}
    return truth_of(batch | {"video": to_float(batch["video"])})


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets(script: ModuleType, preset: str, stored: bool) -> None:
    clips = make_clips(3, "test", 0, 4, 8, 64, preset)
    columns = {name: torch.from_numpy(v) for name, v in clips.items() if v.dtype.kind != "S"}
    # On `hard`, a bar in front of the object moves the center of what is seen of it.
    check(script, truth_from(columns, stored), (0.3 if preset == "hard" else TRACKER_ERROR) if stored else 0.0)


@pytest.mark.parametrize("size", [(256, 64), (64, 160)])
def test_small_objects_on_wide_textures(script: ModuleType, size: tuple[int, int]) -> None:
    clips = make_clips(0, "test", 0, 12, 16, size, "hard")
    columns = {name: torch.from_numpy(v) for name, v in clips.items() if v.dtype.kind != "S"}
    check(script, truth_from(columns, stored=True), 0.3)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("objects", [1, 2, 3, 4])
def test_several_objects(script: ModuleType, objects: int, stored: bool) -> None:
    columns = scene(6, objects, frames=8)
    check(script, truth_from(columns, stored), TRACKER_ERROR if stored else 0.0)


def test_a_panning_texture_has_no_surplus(script: ModuleType) -> None:
    texture = ndimage.gaussian_filter(np.random.default_rng(0).uniform(0, 255, (2, 3, 48, 96)), (0, 0, 2, 2))
    texture = (texture - texture.min()) / np.ptp(texture) * 255
    video = np.stack([texture[..., 3 * frame : 3 * frame + 48] for frame in range(16)], axis=1).astype(np.uint8)
    rows = script.laws([truth_of({"video": to_float(torch.from_numpy(video))})])
    assert all(row["surplus"] == 0 for row in rows.values())
    assert all(row.get("visible", 1.0) >= 0.99 for row in rows.values())


def test_faint_and_soft_objects_beside_a_bright_one(script: ModuleType) -> None:
    """Tracked at 30 % of the clip's contrast, a faint object is a few pixels; at 30 % of its own it is many."""
    time = np.arange(8)[:, None, None]
    y, x = np.mgrid[:48, :48] + 0.5
    spots = [(230.0, 2.0, 10 + time, 12.0), (78.0, 3.5, 36.0 - time, 34.0), (76.0, 4.0, 12.0 + time, 36.0)]
    light = sum(
        peak * np.exp(-((x - right) ** 2 + (y - down) ** 2) / (2 * size**2)) for peak, size, right, down in spots
    )
    video = torch.from_numpy(np.rint(light)).byte()[None, :, None].expand(1, 8, 3, 48, 48)
    background = torch.zeros(1, 3, dtype=torch.uint8)
    truth = truth_from({"video": video, "background": background}, stored=False)
    assert truth.valid.sum() == 24
    check(script, truth)


@pytest.mark.skipif(not SETS, reason="TRAJVQ_CLIPS names no folder of clips")
@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_clips_of_ones_own(script: ModuleType, path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    try:
        (import_tracks if path.suffix in (".csv", ".parquet") else import_videos)(path, folder)
    except DataError as error:
        pytest.skip(str(error))
    for truth in script.truths_of(Clips(folder, "test"), 10):
        check(script, truth, 0.0 if truth.tracked else TRACKER_ERROR)


def test_frames_are_shown_with_their_objects(
    script: ModuleType, dataset: Path, tokenizer: Path, tmp_path: Path
) -> None:
    clips = Clips(dataset, "test")
    names = script.save_frames(clips, 12, tmp_path / "frames.png")
    assert len(set(names)) == 12
    assert (tmp_path / "frames.png").stat().st_size > 0
    assert script.save_frames(clips, 2, tmp_path / "two.png") == ["test 0 0", "test 11 7"]
    names = script.save_frames(clips, 12, tmp_path / "frames.png", FrozenTokenizer(str(tokenizer)))
    assert all(name.endswith((": 0 of 1", ": 1 of 1")) for name in names)


def test_what_a_reconstruction_shows_is_outlined_in_its_place(script: ModuleType) -> None:
    class Blind:
        """Decodes to the target without the last object."""

        def encode(self, video: torch.Tensor) -> torch.Tensor:
            return video

        def decode(self, video: torch.Tensor) -> torch.Tensor:
            return torch.where(near, 1.0, video)

    columns = scene(2, 2, seed=3, frames=4)
    columns["occluded"][:] = False
    columns["pixel"][:] = torch.tensor([[16.0, 16.0], [48.0, 48.0]])
    columns["radius"][:] = 3.0
    columns["video"][:] = 255
    render_discs(
        columns["video"].numpy(),
        columns["pixel"][:, :, 0].numpy(),
        np.full((2, 4), 3.0),
        columns["color"][:, 0].numpy(),
    )
    render_discs(
        columns["video"].numpy(),
        columns["pixel"][:, :, 1].numpy(),
        np.full((2, 4), 3.0),
        columns["color"][:, 1].numpy(),
    )
    near = torch.arange(64)[:, None].expand(64, 64) >= 32
    _, in_place, missed = script.reconstructed(truth_from(columns, stored=True), Blind())
    assert (in_place[:, :, 16, 16] == 1).all()
    assert (missed[:, :, 48, 48] == 2).all()
    assert not in_place[:, :, 32:].any()
    assert not missed[:, :, :32].any()
