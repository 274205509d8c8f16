"""Tokens and tracks are computed once and read back unchanged; damaged, foreign or outdated files are made again."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import pytest
import torch

from trajvq.augment import ClipSymmetries
from trajvq.data.storage.clips import Clips
from trajvq.errors import UserError
from trajvq.io import hdf5
from trajvq.io.video import to_float
from trajvq.metrics.tracking import DiscTracker
from trajvq.tokens import FrozenTokenizer
from trajvq.tokens.cache import TokenCache


@pytest.fixture
def cache(tokenizer: Path, here: Path) -> TokenCache:
    return TokenCache(FrozenTokenizer(str(tokenizer)))


def files(here: Path) -> list[Path]:
    return sorted((here / "runs/tokens").rglob("*.h5"))


def test_tokens_are_those_of_the_clips_and_encoded_once(
    cache: TokenCache, dataset: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = Clips(dataset, "val")
    first = cache.tokens(clips)
    assert first.dtype == torch.int16
    assert torch.equal(first[:, 0].long(), cache.tokenizer.encode(to_float(clips.batch(list(range(8)))["video"])))
    assert "encoding the 8 clips" in capsys.readouterr().out
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FrozenTokenizer, "encode", None)
        assert torch.equal(cache.tokens(clips), first)
    assert capsys.readouterr().out == ""


def test_versions_are_the_clip_itself_and_augmented_ones(cache: TokenCache, dataset: Path, here: Path) -> None:
    clips, augment = Clips(dataset, "val"), ClipSymmetries(["rows", "reverse", "colors"])
    plain, three = cache.tokens(clips), cache.tokens(clips, 3, augment)
    assert three.shape == (8, 3, 2, 4, 4)
    assert torch.equal(three[:, :1], plain)
    assert not torch.equal(three[:, 1], three[:, 2])
    assert torch.equal(cache.tokens(clips, 2, augment), three[:, :2])
    assert len(files(here)) == 3
    cache.tokens(clips, 2, ClipSymmetries(["reverse"]))
    assert len(files(here)) == 4


def test_versions_are_announced_together(cache: TokenCache, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips, augment = Clips(dataset, "val"), ClipSymmetries(["rows"])
    cache.tracks(clips, 4, augment)
    lines = [line for line in capsys.readouterr().out.splitlines() if "clips of" in line]
    of = f"the 8 clips of {dataset} val"
    assert [line.split(", once")[0] for line in lines] == [
        f"encoding {of}",
        f"tracking the reconstructions of {of}",
        f"encoding {of}, versions 1 to 3",
        f"tracking the reconstructions of {of}, versions 1 to 3",
    ]


def _flip(path: Path) -> None:
    with h5py.File(path) as file:
        chunk = file["tokens"].id.get_chunk_info(0)
    raw = bytearray(path.read_bytes())
    raw[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(raw)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _swap(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["tokenizer"] = "0" * 64


@pytest.mark.parametrize("damage", [_flip, _cut, _swap])
def test_damaged_and_foreign_files_are_reported_and_encoded_again(
    cache: TokenCache, dataset: Path, here: Path, capsys: pytest.CaptureFixture[str], damage: object
) -> None:
    clips = Clips(dataset, "val")
    first = cache.tokens(clips)
    assert callable(damage)
    damage(files(here)[0])
    capsys.readouterr()
    assert torch.equal(cache.tokens(clips), first)
    assert "encoding again" in capsys.readouterr().out
    assert torch.equal(cache.tokens(clips), first)
    assert capsys.readouterr().out == ""


def test_of_two_processes_at_once_one_encodes_and_both_read(
    tokenizer: Path, dataset: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(_: int) -> torch.Tensor:
        return TokenCache(FrozenTokenizer(str(tokenizer))).tokens(Clips(dataset, "train"))

    with ThreadPoolExecutor(2) as pool:  # the lock is on the open file, so it holds between threads as well
        first, second = pool.map(make, range(2))
    assert torch.equal(first, second)
    assert capsys.readouterr().out.count("encoding") == 1
    assert len(files(here)) == 1
    assert not list((here / "runs/tokens").rglob("*.partial"))


class NextTracker(DiscTracker):
    """The default tracker in a later version."""

    version = "2"


def test_a_changed_tracker_makes_tracks_anew_and_keeps_tokens(
    cache: TokenCache, dataset: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = Clips(dataset, "val")
    first = cache.tracks(clips)
    assert first.shape == (8, 1, 1, 8, 6)
    assert [path.name for path in files(here)] == ["val-tracks.h5", "val.h5"]
    capsys.readouterr()
    assert torch.equal(cache.tracks(clips).nan_to_num(), first.nan_to_num())
    assert capsys.readouterr().out == ""
    for version in ("2", "3"):
        tracker = NextTracker()
        tracker.version = version
        again = TokenCache(cache.tokenizer, tracker=tracker)
        assert torch.equal(again.tracks(clips).nan_to_num(), first.nan_to_num())
        lines = capsys.readouterr().out.splitlines()
        assert sum(f"not tests.tokens.test_cache.NextTracker {version}: tracking again" in line for line in lines) == 1
        assert not any("encoding" in line for line in lines)
        again.tracks(clips)
        assert capsys.readouterr().out == ""


def test_tokens_of_the_first_frames_know_nothing_of_later_ones(cache: TokenCache, dataset: Path, here: Path) -> None:
    clips = Clips(dataset, "val")
    context = cache.tokens(clips, frames=4)
    video = to_float(clips.batch(list(range(8)))["video"])[:, :, :4].contiguous()
    assert torch.equal(context[:, 0].long(), cache.tokenizer.encode(video))
    whole = cache.tokens(clips)
    assert whole.shape[2] == 2 * context.shape[2]
    assert [path.name for path in files(here)] == ["val-first4.h5", "val.h5"]
    with h5py.File(files(here)[0]) as file:
        assert file.attrs["recipe"] == '{"frames": 4}'


def test_an_unwritable_folder_is_one_line(tokenizer: Path, dataset: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write /proc/.*choose another token_folder"):
        TokenCache(FrozenTokenizer(str(tokenizer)), Path("/proc/none")).tokens(Clips(dataset, "val"))


def test_a_full_disk_is_one_line(cache: TokenCache, dataset: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hdf5.HDF5Output, "check", full)
    with pytest.raises(UserError, match=r"^cannot write .*val.h5: No space left on device; choose another token_fol"):
        cache.tokens(Clips(dataset, "val"))
    assert files(here) == []
