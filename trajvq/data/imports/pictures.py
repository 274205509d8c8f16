"""Read TIFF stacks, and series of single pictures, one page at a time."""

import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from trajvq.data.imports.collection import Playback, Video
from trajvq.data.imports.labels import Label
from trajvq.data.imports.levels import Levels
from trajvq.data.imports.plurals import counted
from trajvq.errors import DataError, first_line

TIFF_FILES = (".tif", ".tiff")
PICTURE_FILES = (*TIFF_FILES, ".png", ".jpg", ".jpeg", ".bmp")
ONE_PAGE = (".jpg", ".jpeg", ".bmp")  # a second page of a JPEG is a preview
GRAY, COLOR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBa")  # Pillow's modes that may have transparent pixels
DESCRIPTION = 270  # number of the TIFF tag
MAX_PIXELS = 2**26  # of a picture, beyond which a header counts as damaged
BROKEN = (OSError, ValueError, EOFError, SyntaxError, KeyError, TypeError, MemoryError, Image.DecompressionBombError)


def picture_video(
    files: Sequence[Path], name: str, levels: Levels, label: Label = None, split: str | None = None
) -> Video:
    """Return the video of one stack, or of single pictures in order.

    Args:
        files: Pictures, whose pages are the frames.
        name: Name for messages.
        levels: Of the collection.
        label: Class name, or None.
        split: The split whose folder the files are in, or None.
    """
    playback = Playback()
    return Video(name, label, partial(_read_pages, files, name, playback), levels, split=split, playback=playback)


def page_count(path: Path) -> int:
    """Return the number of pages of a picture; 0 if it cannot be read."""
    if path.suffix.lower() in ONE_PAGE:
        return 1
    try:
        with _quiet(), Image.open(path) as image:
            return int(getattr(image, "n_frames", 1))
    except BROKEN:
        return 0


def in_order(files: Sequence[Path]) -> list[Path]:
    """Return files in the order of their names, in which 2 comes before 10."""
    return sorted(files, key=lambda file: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", file.name)])


def series_of(pictures: Sequence[Path]) -> list[list[Path]]:
    """Return the series in single pictures: those whose names differ in the last number alone.

    All of them are one series if some name has no other like it.
    """
    series: dict[str, list[Path]] = {}
    for picture in pictures:
        series.setdefault(re.sub(r"\d+(\D*)$", r"#\1", picture.stem), []).append(picture)
    return list(series.values()) if all(len(files) > 1 for files in series.values()) else [list(pictures)]


def numbering_note(series: Mapping[str, Sequence[Path]]) -> str:
    """Return what is odd about the numbers in the names of pictures, in words; empty if nothing is.

    Args:
        series: The pictures of each video, in order.
    """
    unordered, gaps = [], []
    for name, files in series.items():
        numbers = [re.findall(r"\d+", file.stem) for file in files]
        steps = np.diff([int(digits[-1]) if digits else 0 for digits in numbers])
        if (steps <= 0).any():
            unordered.append(name)
        elif len(set(steps.tolist())) > 1:
            gaps.append(name)
    if unordered:
        count = counted(len(unordered), "video")
        return (
            f"{count} of pictures whose names do not count up, taken in the order of names; the first: {unordered[0]}"
        )
    return f"{counted(len(gaps), 'video')} with pictures missing by their numbers; the first: {gaps[0]}" if gaps else ""


def _read_pages(files: Sequence[Path], name: str, playback: Playback) -> Iterator[NDArray[Any]]:
    """Yield one piece ``(1, H, W, C)`` for each page; C is that of the page."""
    size: tuple[int, ...] = ()
    for file in files:
        try:
            with _open(file) as image:
                with _quiet():
                    pages = 1 if file.suffix.lower() in ONE_PAGE else int(getattr(image, "n_frames", 1))
                _check_layout(file, str(getattr(image, "tag_v2", {}).get(DESCRIPTION, "")), pages)
                for page in range(pages):
                    with _quiet():
                        image.seek(page)
                        picture = _pixels(image, file, playback)
                    size = size or picture.shape[:2]
                    if picture.shape[:2] != size:  # a gray picture among color is fine: `Levels` repeats its values
                        changed = f"from {size} to {picture.shape[:2]} in {file.name}"
                        raise DataError(f"{name} changes its size {changed}; split it where it changes")
                    yield picture[None]
        except (UnidentifiedImageError, *BROKEN) as error:
            reason = "not a picture that Pillow reads" if isinstance(error, UnidentifiedImageError) else error
            raise DataError(
                f"{file} is not a readable picture ({first_line(Exception(reason))}); save it as .npy instead"
            ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Pillow and libtiff print about damaged files off the terminal: what follows from it is an error."""
    terminal = os.dup(2)  # libtiff is written in C and knows no sys.stderr
    with warnings.catch_warnings(), Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        warnings.simplefilter("ignore")
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _open(file: Path) -> Image.Image:
    with _quiet():
        return Image.open(file)


def _pixels(image: Image.Image, file: Path, playback: Playback) -> NDArray[Any]:
    """Return the current page, ``(H, W, 1)`` or ``(H, W, 3)``, over white where it is transparent."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"pictures of {image.width}x{image.height}")
    if file.suffix.lower() not in TIFF_FILES:
        image = ImageOps.exif_transpose(image)
    if image.has_transparency_data and image.mode in (*GRAY, *COLOR):
        layer = image.convert("RGBA")
        playback.transparent |= layer.getchannel("A").getextrema() != (255, 255)
        over_white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer)
        image = over_white.convert("L" if image.mode in GRAY else "RGB")
    if image.mode in ("1", "P", "CMYK", "YCbCr", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    picture = np.asarray(image)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or picture.dtype.kind not in "uif":
        raise DataError(f"{file} has pictures of {picture.dtype} {picture.shape}; save it as gray or RGB")
    return picture.astype(picture.dtype.newbyteorder("="), copy=False)


def _check_layout(file: Path, description: str, pages: int) -> None:
    """Check what the writer of a stack says of its pages.

    Raises:
        DataError: If the pages are not the frames of one film.
    """
    axes = _stack_axes(description, pages)
    several = {kind: size for kind, size in axes.items() if size > 1}
    alone = pages in (1, axes.get("slices"), axes.get("frames"))  # its other files hold the rest
    if ("channels" in several or len(several) > 1) and not alone:
        kinds = ", ".join(f"{size} {kind}" for kind, size in several.items())
        raise DataError(f"{file} holds {kinds}; save one film: one channel and one slice over time")
    images = re.search(r"^images=(\d+)", description, re.M) if description.startswith("ImageJ=") else None
    if images and int(images[1]) != pages:
        raise DataError(f"{file} holds {images[1]} images but {pages} pages; save it as .npy instead")


def _stack_axes(description: str, pages: int) -> dict[str, int]:
    """Return the sizes of a stack's axes by name, as ImageJ, OME or tifffile write them; empty for others."""
    if description.startswith("ImageJ="):
        return {kind: int(size) for kind, size in re.findall(r"^(channels|slices|frames)=(\d+)", description, re.M)}
    if "<OME" in description:
        counts = {name: re.findall(rf'\b{name}="(\d+)"', description) for name in ("SizeC", "SizeZ", "SizeT")}
        channels, slices, frames = (int(sizes[0]) if sizes else 1 for sizes in counts.values())
        samples = re.search(r'\bSamplesPerPixel="([1-9]\d*)"', description)  # 3 colors of a page count as channels
        positions = len(counts["SizeT"])
        channels //= int(samples[1]) if samples else 1
        return {"positions": positions, "channels": channels, "slices": slices, "frames": frames}
    shape = re.search(r'^\{.*"shape": \[([\d, ]+)\]', description)
    sizes = [int(size) for size in shape[1].split(",")] if shape else []
    ends = [end for end in range(len(sizes)) if prod(sizes[:end]) == pages]  # the axes behind are those of a page
    return {f"pages along axis {k + 1}": size for k, size in enumerate(sizes[: ends[0]])} if ends else {}
