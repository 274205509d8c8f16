"""The truth of a clip is that of the clip alone, whatever else is in its batch, and of its frames with objects."""

import numpy as np
import pytest
import torch

from tests.scenes import scene
from trajvq.data.synthetic.render import render_discs
from trajvq.io.video import to_float
from trajvq.metrics.reconstruction.objects import clip_figures
from trajvq.metrics.reconstruction.truth import truth_of


def test_the_contrast_of_a_clip_does_not_depend_on_its_batch() -> None:
    columns = scene(2, 2, frames=4)
    background = torch.full((2, 3, 64, 64), 255, dtype=torch.uint8)
    background[1, :, :4] = 250  # only the second one has a texture
    batch = columns | {"video": to_float(columns["video"]), "background": background}
    together = truth_of(batch)
    for row in range(2):
        alone = truth_of({name: values[row : row + 1] for name, values in batch.items()})
        np.testing.assert_array_equal(alone.contrast[0], together.contrast[row])
    own = np.abs(columns["color"][0].numpy() / 255 - 1).mean(axis=-1)
    np.testing.assert_allclose(together.contrast[0], own)


@pytest.mark.parametrize("frames", [16, 7, 1])
def test_the_contrast_of_tracked_objects_is_that_of_frames_with_objects(frames: int) -> None:
    video = np.full((1, 16, 3, 64, 64), 235.0)
    for frame in range(frames):
        video[0, frame, :, 30:36, 2 + 3 * frame : 8 + 3 * frame] = 20
    video += np.random.default_rng(0).normal(0, 1.5, video.shape)
    clip = video.round().astype(np.uint8)
    truth = truth_of({"video": to_float(torch.from_numpy(clip))})
    assert truth.valid.sum() == frames
    assert np.nanmax(truth.contrast) > 0.8
    residue = clip.copy()
    residue[..., 50:56, 50:56] -= 14  # 6 % of the object's contrast
    figures = clip_figures(truth, residue)
    assert not figures["surplus"].any()
    assert figures["visible"][truth.valid].all()


@pytest.mark.parametrize("size", [(64, 64), (64, 256)])
def test_the_contrast_with_a_texture_is_that_of_the_object_however_small_its_share(size: tuple[int, int]) -> None:
    texture = np.random.default_rng(0).integers(200, 206, (1, 1, 3, *size)).astype(np.uint8)
    video = np.repeat(texture, 16, axis=1)
    pixel, radius, color = np.full((1, 16, 2), 20.5), np.full((1, 16), 2.0), np.zeros((1, 3), dtype=np.uint8)
    render_discs(video, pixel, radius, color)
    video[:, :, :, 40:42, 40:42] -= 20  # something faint, of fewer pixels than the object
    columns = {"pixel": pixel[:, :, None], "radius": radius[..., None], "color": color[:, None]}
    columns["background"] = texture[:, 0]
    truth = truth_of(
        {name: torch.from_numpy(value) for name, value in columns.items()}
        | {"video": to_float(torch.from_numpy(video))}
    )
    np.testing.assert_allclose(truth.contrast, 203 / 255, atol=0.02)
