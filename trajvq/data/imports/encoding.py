"""Decode the text of a table, in whatever encoding a program has written it."""

import codecs
from pathlib import Path

from trajvq.errors import DataError

OTHERS = {  # first bytes of files that are no text, and what to do about them
    b"PK\x03\x04": "a zip or Excel file; save it as .csv",
    b"\xd0\xcf\x11\xe0": "an Excel file; save it as .csv",
    b"\x1f\x8b": "compressed; unpack it",
    b"PAR1": "Parquet; name it .parquet",
    b"\x89HDF": "HDF5; name it .h5",
}
SAMPLE = 4096  # bytes that tell UTF-16 without a mark


def decode(path: Path) -> tuple[str, list[str]]:
    """Return the text of a file and, if it is not UTF-8, what it was taken for.

    Raises:
        DataError: If it is no text.
        OSError: If it cannot be read.
    """
    raw = path.read_bytes()
    for start, what in OTHERS.items():
        if raw.startswith(start):
            raise DataError(f"{path} is not a readable table: it is {what}")
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _text(raw.decode("utf-16"), path), ["encoding UTF-16"]
        odd, even = raw[1:SAMPLE:2], raw[0:SAMPLE:2]
        for nulls, name in ((odd, "utf-16-le"), (even, "utf-16-be")):
            if nulls and nulls.count(0) > 0.7 * len(nulls):
                return _text(raw.decode(name), path), [f"encoding {name.upper()}"]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not a readable table: its encoding is not {error.encoding}; save it as UTF-8"
        ) from None
    for name, words in (("utf-8-sig", ""), ("cp1252", "Windows-1252"), ("latin-1", "Latin-1")):
        try:
            content = raw.decode(name)
        except UnicodeDecodeError:
            continue  # the last one knows every byte
        note = f"not UTF-8: taken for {words}, so check names with letters beyond a to z; or save the file as UTF-8"
        return _text(content, path), [note] if words else []
    raise AssertionError("Latin-1 knows every byte")


def _text(content: str, path: Path) -> str:
    if "\0" in content:
        raise DataError(f"{path} is not a readable table: it is no text")
    return content.removeprefix("\ufeff")
