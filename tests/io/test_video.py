"""Stored clips survive the way to floats and back, and floats out of range are clipped."""

import numpy as np
import torch

from trajvq.io.video import array_to_uint8, to_float, to_uint8


def test_every_stored_value_survives_the_round_trip() -> None:
    video = torch.arange(256, dtype=torch.uint8).view(2, 4, 1, 4, 8).repeat(1, 1, 3, 1, 1)
    floats = to_float(video)
    assert floats.shape == (2, 3, 4, 4, 8)
    assert floats.dtype == torch.float32
    assert (float(floats.min()), float(floats.max())) == (0, 1)
    np.testing.assert_array_equal(to_uint8(floats), video.numpy())
    np.testing.assert_array_equal(array_to_uint8(video.numpy() / 255), video.numpy())


def test_floats_out_of_range_are_clipped_and_others_rounded() -> None:
    video = torch.tensor([-0.5, 0.4 / 255, 0.6 / 255, 1.5]).view(1, 1, 4, 1, 1).expand(1, 3, 4, 1, 1)
    assert to_uint8(video)[0, :, 0, 0, 0].tolist() == [0, 0, 1, 255]
