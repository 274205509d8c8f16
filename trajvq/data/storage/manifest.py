"""The manifest of a dataset folder: what it holds, and the size and SHA-256 of every shard."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trajvq.errors import DataError
from trajvq.io.files import write_text

FORMAT, VERSION = "trajvq-dataset", 2
READABLE = (1, VERSION)  # see `trajvq.data.storage.shards.with_objects`
MANIFEST, PROGRESS = "manifest.json", "progress.json"


@dataclass
class Manifest:
    """The content of ``manifest.json``.

    Attributes:
        preset: Name of the preset, or of the imported file.
        seed: Seed of the generator, or of the split into train, val and test.
        frames: T, frames per clip.
        height: H, in pixels.
        width: W, in pixels.
        classes: Class names by label; empty without labels.
        splits: For each split, a list of shards ``{"file", "clips", "bytes", "sha256"}``.
        columns: Column names of ``camera``, and of ``params`` by class.
        ranges: The range of every parameter under ``appearance`` and ``motion``, and the regions of every split
            under ``splits``. In datasets of earlier versions ``appearance`` is called ``look``.
        ledger: What an import found, took, left out and assumed; empty for other datasets.
        version: Version of the format.
    """

    preset: str
    seed: int
    frames: int
    height: int
    width: int
    classes: list[str] = field(default_factory=list)
    splits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    ranges: dict[str, Any] = field(default_factory=dict)
    ledger: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    def clips(self, split: str) -> int:
        """Return the number of clips of a split."""
        return sum(int(shard["clips"]) for shard in self.splits[split])

    @property
    def sha256(self) -> str:
        """Hash of the manifest, including the hashes of all shards: the identity of the dataset."""
        text = json.dumps({"format": FORMAT, **self._fields()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` atomically."""
        content = {"format": FORMAT, **self._fields(), "sha256": self.sha256}
        write_json(folder / MANIFEST, content)

    def _fields(self) -> dict[str, Any]:
        """Return the fields, without an empty ledger, so that datasets from before there was one keep their hash."""
        return {name: value for name, value in self.__dict__.items() if name != "ledger" or value}


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(content, indent=1))


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a dataset folder.

    Raises:
        DataError: If it is missing, damaged or of another format.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"no dataset in {folder}: {_why_incomplete(folder)}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); generate or import the dataset again") from None
    try:
        if content.pop("format") != FORMAT or content["version"] not in READABLE:
            readable = " or ".join(map(str, READABLE))
            raise DataError(f"{path} is not a {FORMAT} of version {readable}; generate or import it again")
        stored, manifest = content.pop("sha256"), Manifest(**content)
    except (AttributeError, KeyError, TypeError):
        raise DataError(f"{path} lacks fields of a {FORMAT}; generate or import it again") from None
    if stored != manifest.sha256:
        raise DataError(f"{path} was changed after it was written; generate or import the dataset again")
    return manifest


def _why_incomplete(folder: Path) -> str:
    try:
        line = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))["line"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"{MANIFEST} is missing; make one with `trajvq data generate`"
    return f"its generation stopped at {line}; run the same `trajvq data generate` again"
