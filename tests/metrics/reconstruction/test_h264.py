"""H.264 is an honest neighbor: exact where it can be, counted in full, and the same everywhere."""

import numpy as np
import pytest

from trajvq.data.synthetic.scene import make_clips
from trajvq.io.arrays import Bytes
from trajvq.metrics.reconstruction.h264 import COARSEST, H264, SEI, _bits, _stream, _units, choose_setting, is_available

pytestmark = pytest.mark.skipif(not is_available(), reason="PyAV with x264 is not installed")


@pytest.fixture(scope="module")
def video() -> Bytes:
    clips: Bytes = make_clips(6, "test", 0, 6, 16, 64)["video"]
    return clips


def white(video: Bytes) -> Bytes:
    return np.full_like(video[:, :1], 255)


def test_grey_clips_pass_exactly_at_the_finest_setting_and_colors_within_a_level(video: Bytes) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (2, 5, 3, 24, 17)).astype(np.uint8)
    grey = np.repeat(noisy[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(H264(0.0, 1.0, 1).encode(grey, white(grey)).video, grey)
    for clips in (noisy, video):
        difference = H264(0.0, 1.0, 1).encode(clips, white(clips)).video.astype(int) - clips
        assert np.abs(difference).max() <= 1


def test_the_same_clip_gives_the_same_stream_whatever_is_beside_it(
    video: Bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    coded = H264(40.0, 1.0, 1).encode(video, white(video))
    alone = H264(40.0, 1.0, 1).encode(video[3:4], white(video[3:4]))
    np.testing.assert_array_equal(coded.video[3:4], alone.video)
    assert (coded.bits[3], coded.bits_beyond_still[3]) == (alone.bits[0], alone.bits_beyond_still[0])
    assert capfd.readouterr() == ("", "")


def test_small_clips_give_the_same_streams_again_and_again() -> None:
    clips = make_clips(6, "test", 0, 9, 8, 32)["video"]
    rng = np.random.default_rng(0)
    sizes = set()
    for _ in range(12):
        parts = [np.full(rng.integers(1000, 200_000), rng.integers(255)) for _ in range(20)]
        del parts  # memory in another state
        sizes.add(tuple(_bits(_stream(clip, 40.0)) for clip in clips))
    assert len(sizes) == 1


def test_all_units_but_remarks_are_counted(video: Bytes) -> None:
    packets = _stream(video[0], 40.0)
    units = [unit.lstrip(b"\0")[1] & 31 for packet in packets for unit in _units(packet)]
    assert len(packets) == 16
    assert {1, 5, 7, 8} == set(units)  # pictures, one keyframe, two kinds of headers
    assert (units.count(5), units.count(SEI)) == (1, 0)
    assert H264(40.0, 1.0, 1).encode(video[:1], white(video[:1])).bits[0] == 8 * sum(map(len, packets))


def test_a_still_clip_has_no_bits_beyond_itself(video: Bytes) -> None:
    still = np.repeat(video[:, :1], 16, axis=1)
    coded = H264(35.0, 1.0, 1).encode(still, video[:, :1])
    assert (coded.bits_beyond_still == 0).all()
    assert (H264(35.0, 1.0, 1).encode(video, white(video)).bits_beyond_still > 0).all()


def test_the_setting_is_the_nearest_to_the_target(video: Bytes) -> None:
    encoder = choose_setting(video, 3500.0)
    assert 0 < encoder.crf < COARSEST

    def distance(crf: float) -> float:
        return abs(float(np.mean([_bits(_stream(clip, crf)) for clip in video])) - 3500.0)

    assert distance(encoder.crf) <= min(distance(encoder.crf - 0.5), distance(encoder.crf + 0.5))
    assert "chosen on 6 clips for 3,500 bits" in encoder.remark(3400.0)


def test_where_even_the_coarsest_setting_needs_more_bits_it_says_so(video: Bytes) -> None:
    encoder = choose_setting(video[:2], 160.0)
    assert encoder.crf == COARSEST
    assert "the coarsest and still needs 2,500" in encoder.remark(2500.0)
    assert choose_setting(video[:2], 1e9).crf <= 2  # lossless may need fewer bits than nearly so
