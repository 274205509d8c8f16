"""The picture of a clip that the report plays holds every frame, however long and wide the clip."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.run_folder import write_run
from trajvq.cli import main
from trajvq.report import sprites
from trajvq.report.sprites import columns_of, render_sprite


@pytest.mark.parametrize(("frames", "width", "columns"), [(5, 24, 5), (63, 256, 63), (64, 256, 63), (200, 256, 63)])
def test_a_frame_is_where_the_player_looks_for_it(frames: int, width: int, columns: int) -> None:
    target, answer = np.random.default_rng(0).integers(0, 256, (2, frames, 3, 8, width), dtype=np.uint8)
    clips = {"target": target, "reconstruction": answer}
    assert columns_of(clips) == columns
    file = base64.b64decode(render_sprite(clips).partition(",")[2])
    picture = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    for at in (0, frames // 2, frames - 1):
        for row, clip in enumerate(clips.values()):
            x, y = at % columns * width, (at // columns * len(clips) + row) * 8  # as in player.js
            assert np.array_equal(picture[y : y + 8, x : x + width], clip[at].transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("most", "words"), [(96, 'data-columns="4"'), (95, "3 more clips are left out"), (20, "3 more")]
)
def test_clips_larger_than_a_picture_can_be_are_left_out_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, words: str
) -> None:
    monkeypatch.setattr(sprites, "MOST", most)  # the clips have 4 frames of 24 x 16 px, and 3 rows with the error
    write_run(tmp_path / "runs/recon/a")
    assert main(["report", str(tmp_path / "runs/recon/a"), "--out", str(tmp_path / "r.html")]) == 0
    assert words in (tmp_path / "r.html").read_text()
