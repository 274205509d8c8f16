"""The truth of a clip is that of the clip alone, whatever else is in its batch."""

import numpy as np
import torch

from tests.scenes import scene
from trajvq.io.video import to_float
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
