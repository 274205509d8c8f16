"""Any clips come back from the disk as they were written, in any order and from shards of any size."""

import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trajvq.data.storage import splits
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import Manifest
from trajvq.data.storage.splits import new_dataset, write_split


@given(
    clips=st.integers(1, 7),
    frames=st.integers(1, 4),
    objects=st.integers(1, 4),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    shard=st.integers(1, 4),
    seed=st.integers(0, 100),
)
@settings(max_examples=15, deadline=None)
def test_clips_survive_the_round_trip(
    clips: int, frames: int, objects: int, height: int, width: int, shard: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    video = random.integers(0, 256, (clips, frames, 3, height, width), dtype=np.uint8)
    pixel = random.normal(size=(clips, frames, objects, 2)).astype(np.float32)
    label = random.integers(0, 2, clips)
    rows = [{"video": video[k], "pixel": pixel[k], "label": label[k]} for k in range(clips)]
    with tempfile.TemporaryDirectory() as parent, patch.object(splits, "SHARD", shard):
        folder = Path(parent) / "data"
        with new_dataset(folder) as partial:
            manifest = Manifest("made up", seed, frames, height, width, classes=["a", "b"])
            write_split(partial, manifest, "train", rows)
            manifest.write(partial)
        read = Clips(folder, "train")
        assert len(read) == clips
        order = random.permutation(clips)
        batch = read.batch(order.tolist())
        for name, written in (("video", video), ("pixel", pixel), ("label", label)):
            np.testing.assert_array_equal(batch[name].numpy(), written[order])
