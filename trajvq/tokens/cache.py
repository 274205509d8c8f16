"""TokenCache: a dataset's clips go through the encoder and the tracker once, and are read from disk afterwards.

N clips, V versions of each; T frames; t, h, w tokens over latent frames, rows and columns.
"""

import hashlib
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import hdf5plugin
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import DAMAGED
from trajvq.errors import first_line
from trajvq.io.files import whole_file, writing
from trajvq.io.hdf5 import HDF5Output
from trajvq.io.locks import locked
from trajvq.io.progress import progress
from trajvq.io.video import bytes_to_float
from trajvq.metrics.background import estimate_background
from trajvq.metrics.matching import LINKING
from trajvq.metrics.tracking import Tracker, track
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.protocol import spec_of
from trajvq.tokens.tracks import tracks_in

ROOT = Path("runs/tokens")
BATCH = 50  # most clips read at a time
REMEDY = "choose another token_folder"


class TokenCache:
    """Tokens and tracks of one dataset by one tokenizer, a file for each split and version.

    Files are ``ROOT/TOKENIZER-DATASET/SPLIT.h5`` for tokens, ``SPLIT-tracks.h5`` for tracks of the largest object and
    ``SPLIT-tracks-K.h5`` for those of K, after the SHA-256 of the tokenizer's checkpoint and of the dataset's manifest.
    They are written whole and checked when read; a file that is damaged, or comes from another tokenizer, dataset or
    tracker, is made again. Processes that need the same file wait for the one that makes it.

    Args:
        tokenizer: The tokenizer.
        root: Folder of all caches.
        tracker: The tracker.
    """

    def __init__(self, tokenizer: FrozenTokenizer, root: Path = ROOT, tracker: Tracker = track) -> None:
        self.tokenizer, self.root, self.tracker = tokenizer, Path(root), tracker
        self._announced: set[tuple[str, Path, str, bool]] = set()

    def tokens(
        self,
        clips: Clips,
        versions: int = 1,
        augment: nn.Module | None = None,
        device: torch.device | None = None,
        frames: int | None = None,
    ) -> Tensor:
        """Return tokens ``(N, V, t, h, w)``, in the smallest integer type of torch that holds the codebook.

        Args:
            clips: The split.
            versions: V; the first is the clip itself, the others are augmented by ``augment``.
            augment: A `trajvq.augment.Augmentation`.
            device: Where to encode; None for the tokenizer's device.
            frames: Encode only the first frames of each clip, so that tokens know nothing of later ones; None for all.

        Raises:
            UserError: If the cache cannot be written.
        """
        recipes = _recipes(versions, augment, frames)
        return torch.stack([self._tokens(clips, recipe, device) for recipe in recipes], dim=1)

    def tracks(
        self,
        clips: Clips,
        versions: int = 1,
        augment: nn.Module | None = None,
        device: torch.device | None = None,
        objects: int = 1,
    ) -> Tensor:
        """Return the tracks of the clips that the tokens decode to, float32 ``(N, V, K, T, 6)``; see `tracks_in`.

        They follow from the tokens alone, without labels or truth. Arguments as for `tokens`, and K ``objects``.
        """
        parts = []
        for recipe in _recipes(versions, augment):
            tokens = self._tokens(clips, recipe, device)
            track = partial(self._track, clips, tokens, device, objects)
            parts.append(self._stored("tracks", clips, recipe, track, objects))
        return torch.stack(parts, dim=1)

    def _tokens(self, clips: Clips, recipe: "_Recipe", device: torch.device | None) -> Tensor:
        return self._stored("tokens", clips, recipe, partial(self._encode, clips, recipe, device))

    def _stored(
        self, kind: str, clips: Clips, recipe: "_Recipe", make: Callable[[], Tensor], objects: int = 1
    ) -> Tensor:
        """Return ``tokens`` or ``tracks`` from their file, which is made first if necessary."""
        provenance = {
            "tokenizer": self.tokenizer.sha256,
            "dataset": clips.manifest.sha256,
            "split": clips.split,
            "recipe": recipe.text(),
        }
        if kind == "tracks":
            provenance |= {"tracker": _identity(self.tracker), "objects": str(objects)}
            provenance |= {"linking": str(LINKING)} if objects > 1 else {}
        folder = self.root / f"{self.tokenizer.sha256[:12]}-{clips.manifest.sha256[:12]}"
        ending = "" if kind == "tokens" else f"-{kind}" if objects == 1 else f"-{kind}-{objects}"
        path = folder / f"{clips.split}{recipe.suffix()}{ending}.h5"
        stored, _ = _read(path, kind, provenance, len(clips))
        if stored is None:
            with locked(path.parent, f".{path.name}.lock", remedy=REMEDY):
                stored, reason = _read(path, kind, provenance, len(clips))  # another process may have made it meanwhile
                if stored is None:
                    if reason:
                        print(f"{path} {reason}: {'encoding' if kind == 'tokens' else 'tracking'} again")
                    stored = self._announce(kind, clips, recipe, path, make).numpy()
                    _write(path, kind, stored, provenance)
        return torch.from_numpy(stored)

    def _announce(self, kind: str, clips: Clips, recipe: "_Recipe", path: Path, make: Callable[[], Tensor]) -> Tensor:
        """Make tokens or tracks, and say what is made and how fast; of several augmented versions for the first."""
        job = kind, clips.folder, clips.split, recipe.augment is None
        if job in self._announced:
            return make()
        self._announced.add(job)
        split = f"{clips.folder} {clips.split}{recipe.describe()}"
        verb = "encoding" if kind == "tokens" else "tracking the reconstructions of"
        where = path if recipe.version == recipe.last else path.parent
        print(f"{verb} the {len(clips):,} clips of {split}, once: {where}", flush=True)
        start = time.monotonic()
        tensor = make()
        print(f"{len(clips) / (time.monotonic() - start):,.0f} clips/s", flush=True)
        return tensor

    def _encode(self, clips: Clips, recipe: "_Recipe", device: torch.device | None) -> Tensor:
        batches = []
        with progress("encoding", len(clips)) as advance:
            size = clips.fitting(BATCH)
            for first in range(0, len(clips), size):
                rows = list(range(first, min(first + size, len(clips))))
                batches.append(self._encode_rows(clips, rows, recipe, device or self.tokenizer.device))
                advance(len(rows))
        return torch.cat(batches)

    def _encode_rows(self, clips: Clips, rows: list[int], recipe: "_Recipe", device: torch.device) -> Tensor:
        video = clips.batch(rows)["video"][:, : recipe.frames].transpose(1, 2)
        if recipe.augment is not None:
            video = bytes_to_float(video.to(device))
            generators = [torch.Generator().manual_seed(row << 16 | recipe.version) for row in rows]
            video, _ = recipe.augment(video, estimate_background(video), generators=generators)
        return self.tokenizer.encode(video, device).to(_integer_type(self.tokenizer.codebook_size)).cpu()

    def _track(self, clips: Clips, tokens: Tensor, device: torch.device | None, objects: int) -> Tensor:
        batches = []
        with progress("tracking", len(tokens)) as advance:
            for batch in torch.split(tokens, clips.fitting(BATCH)):
                video = self.tokenizer.decode(batch.long().to(device or self.tokenizer.device))
                batches.append(tracks_in(video, self.tracker, objects).cpu())
                advance(len(batch))
        return torch.cat(batches)


class _Recipe(NamedTuple):
    """What tokens are encoded from.

    Attributes:
        version: Number of the version; 0 is the clip itself.
        augment: The augmentation that makes the version; None for the clip itself.
        last: Number of the last version that is asked for with it.
        frames: First frames of the clip; None for all.
    """

    version: int
    augment: nn.Module | None
    last: int
    frames: int | None = None

    def text(self) -> str:
        """Return all settings as text; empty for whole clips as they are stored."""
        settings: dict[str, Any] = {}
        if self.augment is not None:
            settings |= {"version": self.version, "augment": spec_of(self.augment)}
        if self.frames is not None:
            settings["frames"] = self.frames
        return json.dumps(settings, sort_keys=True) if settings else ""

    def suffix(self) -> str:
        """Return what file names carry of it."""
        first = "" if self.frames is None else f"-first{self.frames}"
        if self.augment is None:
            return first
        return f"{first}-{self.version}-{hashlib.sha256(self.text().encode()).hexdigest()[:8]}"

    def describe(self) -> str:
        """Return what messages say of it, after the name of the split."""
        version = f", version {self.version}" if self.version else ""
        if self.last > self.version:
            version = f", versions {self.version} to {self.last}"
        return version if self.frames is None else f"{version}, first {self.frames} frames"


def _recipes(versions: int, augment: nn.Module | None, frames: int | None = None) -> list[_Recipe]:
    """Return the recipes of a clip itself and of its augmented versions."""
    augmented = [_Recipe(version, augment, versions - 1, frames) for version in range(1, versions)]
    return [_Recipe(0, None, 0, frames), *augmented]


def _read(path: Path, kind: str, provenance: dict[str, str], clips: int) -> tuple[NDArray[Any] | None, str]:
    """Return a file's array, or None and, if there is a file, the reason why it cannot be used."""
    if not path.exists():
        return None, ""
    try:
        with h5py.File(path, "r") as file:
            array: NDArray[Any] = file[kind][:]
            attributes = dict(file.attrs)
    except DAMAGED as error:
        return None, f"is damaged ({first_line(error)})"
    before, now = attributes.get("tracker"), provenance.get("tracker")
    if before != now:
        return None, f"was made by the tracker {before}, not {now}"
    if len(array) != clips or attributes != provenance | {"sha256": _digest(array)}:
        return None, f"holds other {kind} than its name says"
    return array, ""


def _write(path: Path, kind: str, array: NDArray[Any], provenance: dict[str, str]) -> None:
    with writing(path, REMEDY), whole_file(path) as partial_path, HDF5Output(partial_path) as output:
        output.file.create_dataset(kind, data=array, chunks=True, fletcher32=True, **hdf5plugin.Zstd(clevel=3))
        output.file.attrs.update(provenance | {"sha256": _digest(array)})


def _identity(tracker: Tracker) -> str:
    """Return a name that changes with a tracker's class and version."""
    return f"{type(tracker).__module__}.{type(tracker).__qualname__} {tracker.version}"


def _integer_type(codebook_size: int) -> torch.dtype:
    types = (torch.int16, torch.int32, torch.int64)
    return next(dtype for dtype in types if codebook_size - 1 <= torch.iinfo(dtype).max)


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
