"""TIFF stacks and series of single pictures give the frames that are in them, in order, by one scale."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.imports.sources import encode, movie, write_movie
from trajvq.cli import main
from trajvq.data.imports.readers import read_collection
from trajvq.data.imports.videos import import_videos
from trajvq.data.storage.clips import Clips
from trajvq.errors import DataError


def stack(path: Path, frames: np.ndarray, description: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pages = [Image.fromarray(frame) for frame in frames]
    options = {"description": description} if description else {}
    pages[0].save(path, save_all=True, append_images=pages[1:], **options)
    return path


def pictures(folder: Path, film: np.ndarray, name: str = "{:03d}.png", start: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(film, start):
        Image.fromarray(frame).save(folder / name.format(number))


def beads(seed: int, frames: int = 20) -> np.ndarray:
    """A bright spot of a few hundred levels over a camera's offset: uint16 (T, 32, 40)."""
    film = np.random.default_rng(seed).normal(110, 3, (frames, 32, 40))
    for t in range(frames):
        film[t, 10:16, t : t + 6] += 300
    return film.round().astype(np.uint16)


def test_stacks_of_16_bits_are_scaled_alike_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = [beads(k) + (50 if k == 3 else 0) for k in range(5)]
    for number, film in enumerate(films):
        stack(tmp_path / "films" / f"{number}.tif", film)
    assert main(["data", "import-videos", str(tmp_path / "films"), "--out", str(tmp_path / "out"), "--frames=20"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "uint16 are scaled to 0 to 255" in line]
    assert len(said) == 1
    low, high = (float(word) for word in said[0].split("values from ")[1].split(" of ")[0].split(" to "))
    assert 90 < low < 105
    assert 450 < high < 475
    stored = [clip for s in ("train", "val", "test") for clip in Clips(tmp_path / "out", s).batch([0])["video"].numpy()]
    for clip in stored:
        back = clip[:, 0] / 255 * (high - low) + low
        assert min(np.abs(back - film).mean() for film in films) < 2
    assert main(["data", "verify", str(tmp_path / "out")]) == 0


def test_pictures_of_one_page_are_frames_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    film = beads(0, 12)
    for number, frame in enumerate(film):
        stack(tmp_path / "film" / f"frame{number + 1}.tiff", frame[None])
    source = read_collection(tmp_path / "film")
    assert len(source.videos) == 1
    assert np.array_equal(np.concatenate(list(source.videos[0].stored()))[..., 0], film)


@pytest.mark.parametrize("kind", ["uint8", "float32", "rgb", "bool"])
def test_other_types_are_read(tmp_path: Path, kind: str) -> None:
    film = beads(1)
    kinds: dict[str, np.ndarray] = {
        "uint8": film.astype(np.uint8),
        "float32": film.astype(np.float32),
        "rgb": np.repeat(film.astype(np.uint8)[..., None], 3, axis=-1),
        "bool": film > 200,
    }
    frames = kinds[kind]
    path = stack(tmp_path / "f.tif", frames)
    read = np.concatenate(list(read_collection(path).videos[0].stored()))
    expected = frames if kind == "rgb" else frames[..., None]
    assert np.array_equal(read, expected.astype(np.uint8) * 255 if kind == "bool" else expected)


def test_what_is_no_film_is_an_error(tmp_path: Path) -> None:
    several = stack(tmp_path / "c.tif", beads(0), "ImageJ=1.53\nimages=20\nchannels=2\nframes=10\n")
    with pytest.raises(DataError, match="2 channels, 10 frames; save one film"):
        import_videos(several, tmp_path / "out")
    cut = tmp_path / "cut.tif"
    cut.write_bytes(several.read_bytes()[:500])
    with pytest.raises(DataError, match="not a readable picture"):
        import_videos(cut, tmp_path / "out")
    named = stack(tmp_path / "t.tif", beads(0, 40), "ImageJ=1.53\nimages=40\nslices=40\n")
    assert import_videos(named, tmp_path / "out").clips("test") == 2


def ome(channels: int, slices: int, frames: int, samples: int = 1, images: int = 1) -> str:
    pixels = f'<Pixels SizeC="{channels}" SizeT="{frames}" SizeX="40" SizeY="32" SizeZ="{slices}">'
    pixels += f'<Channel SamplesPerPixel="{samples}"/></Pixels>'
    return f'<?xml version="1.0"?><OME xmlns="x">{f"<Image>{pixels}</Image>" * images}</OME>'


@pytest.mark.parametrize(
    ("description", "holds"),
    [
        (ome(2, 1, 20), "2 channels, 20 frames"),
        (ome(1, 4, 10), "4 slices, 10 frames"),
        (ome(1, 1, 20, images=2), "2 positions, 20 frames"),
        ('{"shape": [20, 2, 32, 40]}', "20 pages along axis 1, 2 pages along axis 2"),
        ('{"axes": "NTYX", "shape": [4, 10, 32, 40]}', "4 pages along axis 1, 10 pages along axis 2"),
        (ome(1, 1, 40), None),
        (ome(3, 1, 40, samples=3), None),
        (ome(2, 1, 40), None),  # of two files, each with a channel
        ('{"shape": [40, 32, 40]}', None),
        ('{"shape": [40, 1, 32, 40, 3]}', None),
        ('{"shape": [32, 40]}', None),  # written page by page
    ],
)
def test_pages_of_several_axes_are_no_film_whoever_wrote_them(
    tmp_path: Path, description: str, holds: str | None
) -> None:
    (video,) = read_collection(stack(tmp_path / "s.tif", beads(0, 40), description)).videos
    if holds is None:
        assert len(list(video.stored())) == 40
    else:
        with pytest.raises(DataError, match=f"holds {holds}; save one film: one channel and one slice over"):
            list(video.stored())


def test_gray_and_palette_pictures_among_colored_ones_are_frames(tmp_path: Path) -> None:
    film = np.repeat(movie(0, 6)[..., :1], 3, axis=-1)
    pictures(tmp_path, film)
    Image.fromarray(film[2, ..., 0]).save(tmp_path / "002.png")
    Image.fromarray(film[0, ..., 0]).convert("P").save(tmp_path / "000.png")
    (video,) = read_collection(tmp_path).videos
    assert np.array_equal(video.read(), film)
    Image.fromarray(film[3, :20]).save(tmp_path / "003.png")
    with pytest.raises(DataError, match="changes its size from .* in 003.png; split it where it changes"):
        video.read()


@pytest.mark.parametrize(("name", "exact"), [("{:03d}.png", True), ("frame{}.jpg", False), ("{:02d}.bmp", True)])
def test_a_folder_of_numbered_pictures_is_a_video(tmp_path: Path, name: str, exact: bool) -> None:
    films = {folder: movie(number, 12) for number, folder in enumerate(("a/one", "a/two", "b/one"))}
    for folder, film in films.items():
        pictures(tmp_path / "films" / folder, film, name)
    videos = read_collection(tmp_path / "films").videos
    assert [video.label for video in videos] == ["a", "a", "b"]
    for video, film in zip(videos, films.values(), strict=True):
        assert np.abs(video.read().astype(int) - film).max() <= (0 if exact else 60)


def test_a_folder_inside_each_video_is_no_class(tmp_path: Path) -> None:
    for number in range(3):
        pictures(tmp_path / f"MOT-{number}" / "img1", movie(number, 4))
    assert [video.label for video in read_collection(tmp_path).videos] == [None] * 3


def test_time_does_not_run_across_series_in_one_folder(tmp_path: Path) -> None:
    for number in range(3):
        pictures(tmp_path, movie(number, 4), f"take{number}_{{:02d}}.png")
    videos = read_collection(tmp_path).videos
    assert [len(video.read()) for video in videos] == [4, 4, 4]


def test_missing_numbers_and_names_without_order_are_said(tmp_path: Path) -> None:
    pictures(tmp_path / "gap", movie(0, 8))
    (tmp_path / "gap" / "003.png").unlink()
    assert "1 video with pictures missing by their numbers; the first: gap" in read_collection(tmp_path).notes
    pictures(tmp_path / "words", movie(0, 3), "a{:c}.png", start=97)
    assert any("do not count up" in note and "words" in note for note in read_collection(tmp_path).notes)


def test_pictures_beside_video_files_are_previews(tmp_path: Path) -> None:
    for number in range(2):
        write_movie(tmp_path / f"{number}.mp4", movie(number))
    pictures(tmp_path, movie(0, 2))
    source = read_collection(tmp_path)
    assert len(source.videos) == 2
    assert source.files is not None
    assert source.files.left_out[".png"] == 2


def test_a_gif_with_no_more_frames_than_pictures_beside_it_is_their_preview(tmp_path: Path) -> None:
    pictures(tmp_path / "film", movie(0, 6))
    for frames, taken in ((6, "film"), (7, "preview")):
        raw = encode(movie(1, frames), container="gif", codec="gif", pixels="rgb8")
        (tmp_path / "film" / "preview.gif").write_bytes(raw)
        source = read_collection(tmp_path)
        assert taken in source.videos[0].name
        assert len(source.videos) == 1
        left_out = f"1 .gif preview of the pictures beside them left out; the first: {tmp_path}/film/preview.gif"
        assert (left_out in source.notes) == (frames == 6)


def test_series_shorter_than_a_clip_are_said_to_be_taken_by_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(20):
        pictures(tmp_path / "film", movie(number, 2), f"t{number:02d}_ch{{}}.png")
    assert main(["data", "import-videos", str(tmp_path / "film"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "film (t00_ch0.png to t00_ch1.png), has 2; give --frames 2 or fewer; 40 pictures taken as the" in error
    assert "20 videos: the names of one differ in the last number alone; if that is wrong, rename them" in error


def test_pictures_of_a_phone_are_turned_upright(tmp_path: Path) -> None:
    sideways = Image.Exif()
    sideways[274] = 6
    for number in range(2):
        Image.new("RGB", (32, 16), "red").save(tmp_path / f"{number}.jpg", exif=sideways)
    assert read_collection(tmp_path).videos[0].read().shape == (2, 32, 16, 3)


def black_square(mode: str, opacity: int) -> Image.Image:
    """A black square of some opacity on a transparent ground whose hidden color is black or nearly so: 16 x 16."""
    if mode in ("RGBA", "LA"):
        alpha = Image.new("L", (16, 16), 0)
        alpha.paste(opacity, (4, 4, 12, 12))
        picture = Image.new(mode[:-1], (16, 16), 0)
        picture.putalpha(alpha)
        return picture
    transparent = (1, 1, 1) if mode == "RGB" else 1  # one color stands for it
    picture = Image.new(mode, (16, 16), transparent)
    picture.paste((0, 0, 0) if mode == "RGB" else 0, (4, 4, 12, 12))
    if mode == "P":
        picture.putpalette([0] * 6)
    picture.info["transparency"] = transparent
    return picture


@pytest.mark.parametrize(
    ("mode", "opacity", "ending"),
    [
        ("RGBA", 255, "png"),
        ("RGBA", 102, "png"),
        ("RGBA", 255, "tif"),
        ("LA", 255, "png"),
        ("LA", 255, "tif"),
        ("P", 255, "png"),
        ("L", 255, "png"),
        ("RGB", 255, "png"),
    ],
)
def test_transparent_pixels_are_shown_over_white_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, opacity: int, ending: str
) -> None:
    (tmp_path / "film").mkdir()
    for number in range(16):
        black_square(mode, opacity).save(tmp_path / "film" / f"{number}.{ending}")
    assert main(["data", "import-videos", str(tmp_path / "film"), "--out", str(tmp_path / "out")]) == 0
    assert "1 video with transparent pixels, shown over white" in capsys.readouterr().out
    expected = np.full((16, 16), 255)
    expected[4:12, 4:12] = 255 - opacity
    assert (Clips(tmp_path / "out", "test")[0]["video"].numpy() == expected).all()


def test_pictures_whose_pixels_are_all_opaque_stay_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = np.concatenate([movie(0, 16), np.full((16, 32, 32, 1), 255, np.uint8)], axis=-1)
    pictures(tmp_path / "film", film)
    import_videos(tmp_path / "film", tmp_path / "out")
    assert "transparent" not in capsys.readouterr().out
    clip = Clips(tmp_path / "out", "test")[0]["video"].numpy()
    assert np.array_equal(clip.transpose(0, 2, 3, 1), film[..., :3])


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_pictures_have_no_times_for_a_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    for number in range(3):
        pictures(tmp_path / "set" / str(number), movie(number, 16), f"{{:03d}}.{ending}")
    arguments = ["data", "import-videos", str(tmp_path / "set"), "--out", str(tmp_path / "out"), "--rate=5"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "holds pictures, which do not say when they were taken, so --rate does not apply; leave it out" in error
    assert error.count("\n") == 1
    for number in range(2):
        write_movie(tmp_path / "set" / f"{number}.mp4", movie(number, 40))
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "5 frames per second taken by their times, of 10 to 10" in said
    assert "3 videos of pictures, which have no times: all of their frames are taken" in said
