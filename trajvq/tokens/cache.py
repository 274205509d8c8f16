"""The token cache: a dataset's clips go through the encoder once, whoever asks and however often.

N clips, V versions of each, t, h, w tokens over frames, rows and columns.
"""

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajvq.data.storage.clips import Clips
from trajvq.data.storage.shards import DAMAGED, first_line
from trajvq.errors import UserError
from trajvq.io.files import whole_file
from trajvq.io.progress import progress
from trajvq.io.video import to_float
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.protocol import spec_of
from trajvq.tokens.tracks import tracks_in

ROOT = Path("runs/tokens")
BATCH = 50  # clips encoded at a time, always: another size may round another way


class TokenCache:
    """Tokens of one dataset by one tokenizer, a file a split and version: ``ROOT/TOKENIZER-DATASET/SPLIT.h5``.

    Files are found by the SHA-256 of the tokenizer's checkpoint and of the dataset's manifest, written whole and
    checked when read. What does not belong there or is damaged is made again. Processes that want the same file
    wait for the one that makes it.

    Args:
        tokenizer: The tokenizer.
        root: Folder of all caches.
    """

    def __init__(self, tokenizer: FrozenTokenizer, root: Path = ROOT) -> None:
        self.tokenizer, self.root = tokenizer, Path(root)

    def tokens(
        self,
        clips: Clips,
        versions: int = 1,
        augment: nn.Module | None = None,
        device: torch.device | None = None,
    ) -> Tensor:
        """Return tokens ``(N, V, t, h, w)``, in the smallest of torch's integers that holds the codebook.

        Args:
            clips: The split.
            versions: V; the first is the clip itself, the others are what ``augment`` makes of it.
            augment: A module of (video, generators) such as `trajvq.augment.ClipSymmetries`.
            device: Where to encode.

        Raises:
            UserError: If the cache cannot be written.
        """
        return torch.stack([self._tokens(clips, k, augment if k else None, device) for k in range(versions)], dim=1)

    def seen(
        self,
        clips: Clips,
        versions: int = 1,
        augment: nn.Module | None = None,
        device: torch.device | None = None,
    ) -> Tensor:
        """Return what is tracked in the clips that the tokens decode to, float32 ``(N, V, T, 6)``: see `tracks_in`.

        The tokens alone say so, no label and no truth. Arguments as for `tokens`.
        """
        found = []
        for version in range(versions):
            used = augment if version else None
            tokens = self._tokens(clips, version, used, device)
            found.append(self._stored("seen", clips, version, used, partial(self._track, tokens, device)))
        return torch.stack(found, dim=1)

    def _tokens(self, clips: Clips, version: int, augment: nn.Module | None, device: torch.device | None) -> Tensor:
        make = partial(self._encode, clips, version, augment, device)
        return self._stored("tokens", clips, version, augment, make)

    def _stored(
        self, what: str, clips: Clips, version: int, augment: nn.Module | None, make: Callable[[], Tensor]
    ) -> Tensor:
        """Return an array from its file, which is made first if need be."""
        recipe = json.dumps({"version": version, "augment": spec_of(augment)}, sort_keys=True) if augment else ""
        about = {
            "tokenizer": self.tokenizer.sha256,
            "dataset": clips.manifest.sha256,
            "split": clips.split,
            "recipe": recipe,
        }
        folder = self.root / f"{self.tokenizer.sha256[:12]}-{clips.manifest.sha256[:12]}"
        name = f"-{version}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}" if recipe else ""
        path = folder / f"{clips.split}{name}{'-seen' if what == 'seen' else ''}.h5"
        found = _read(path, what, about, len(clips))
        if found is None:
            with _lock(path):
                found = _read(path, what, about, len(clips))  # another process may have made it meanwhile
                if found is None:
                    which = f"{clips.folder} {clips.split}{f', version {version}' if version else ''}"
                    verb = "encoding" if what == "tokens" else "tracking what becomes of"
                    print(f"{verb} the {len(clips):,} clips of {which}, once: {path}", flush=True)
                    start = time.monotonic()
                    found = make().numpy()
                    print(f"{len(clips) / (time.monotonic() - start):,.0f} clips/s", flush=True)
                    _write(path, what, found, about)
        return torch.from_numpy(found)

    def _encode(self, clips: Clips, version: int, augment: nn.Module | None, device: torch.device | None) -> Tensor:
        made = []
        with progress("encoding", len(clips)) as done:
            for first in range(0, len(clips), BATCH):
                rows = list(range(first, min(first + BATCH, len(clips))))
                video = to_float(clips.batch(rows)["video"].to(device or self.tokenizer.device))
                if augment is not None:
                    video = augment(video, [torch.Generator().manual_seed(row << 16 | version) for row in rows])
                made.append(self.tokenizer.encode(video).to(_integers(self.tokenizer.codebook_size)).cpu())
                done(len(rows))
        return torch.cat(made)

    def _track(self, tokens: Tensor, device: torch.device | None) -> Tensor:
        made = []
        with progress("tracking", len(tokens)) as done:
            for part in torch.split(tokens, BATCH):
                made.append(tracks_in(self.tokenizer.decode(part.long().to(device or self.tokenizer.device))).cpu())
                done(len(part))
        return torch.cat(made)


def _read(path: Path, what: str, about: dict[str, str], clips: int) -> NDArray[Any] | None:
    if not path.exists():
        return None
    try:
        with h5py.File(path, "r") as file:
            found: NDArray[Any] = file[what][:]
            stored = dict(file.attrs)
    except DAMAGED as error:
        print(f"{path} is damaged ({first_line(error)}): encoding again")
        return None
    if len(found) != clips or stored != about | {"sha256": _digest(found)}:
        print(f"{path} holds other tokens than its name says: encoding again")
        return None
    return found


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("w")
    except OSError as error:
        raise _unwritable(path, error) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, what: str, found: NDArray[Any], about: dict[str, str]) -> None:
    try:
        with whole_file(path) as partial_path, h5py.File(partial_path, "w") as file:
            file.create_dataset(what, data=found, chunks=True, fletcher32=True, **hdf5plugin.Zstd(clevel=3))
            file.attrs.update(about | {"sha256": _digest(found)})
    except OSError as error:
        raise _unwritable(path, error) from None


def _integers(codebook_size: int) -> torch.dtype:
    kinds = (torch.int16, torch.int32, torch.int64)
    return next(kind for kind in kinds if codebook_size - 1 <= torch.iinfo(kind).max)


def _digest(tokens: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(tokens).data).hexdigest()


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot write the tokens to {path}: {error.strerror or error}; set data.token_folder")
