"""The token cache: a dataset's clips go through the encoder once, whoever asks and however often.

N clips, V versions of each, t, h, w tokens over frames, rows and columns.
"""

import fcntl
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajvq.data.clips import Clips
from trajvq.data.datamodule import as_model_input
from trajvq.data.store import DAMAGED, first_line
from trajvq.errors import UserError
from trajvq.files import whole_file
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.protocol import spec_of

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
        return torch.stack([self._version(clips, k, augment if k else None, device) for k in range(versions)], dim=1)

    def _version(
        self, clips: Clips, version: int, augment: nn.Module | None, device: torch.device | None
    ) -> Tensor:
        recipe = json.dumps({"version": version, "augment": spec_of(augment)}, sort_keys=True) if augment else ""
        about = {
            "tokenizer": self.tokenizer.sha256,
            "dataset": clips.manifest.sha256,
            "split": clips.split,
            "recipe": recipe,
        }
        folder = self.root / f"{self.tokenizer.sha256[:12]}-{clips.manifest.sha256[:12]}"
        name = f"-{version}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}" if recipe else ""
        path = folder / f"{clips.split}{name}.h5"
        found = self._read(path, about, len(clips))
        if found is None:
            with self._lock(path):
                found = self._read(path, about, len(clips))  # another process may have made it meanwhile
                if found is None:
                    found = self._encode(clips, version, augment, device, path)
                    self._write(path, found, about)
        return torch.from_numpy(found)

    def _read(self, path: Path, about: dict[str, str], clips: int) -> NDArray[np.signedinteger] | None:
        if not path.exists():
            return None
        try:
            with h5py.File(path, "r") as file:
                tokens: NDArray[np.signedinteger] = file["tokens"][:]
                stored = dict(file.attrs)
        except DAMAGED as error:
            print(f"{path} is damaged ({first_line(error)}): encoding again")
            return None
        if len(tokens) != clips or stored != about | {"sha256": _digest(tokens)}:
            print(f"{path} holds other tokens than its name says: encoding again")
            return None
        return tokens

    def _encode(
        self, clips: Clips, version: int, augment: nn.Module | None, device: torch.device | None, path: Path
    ) -> NDArray[np.signedinteger]:
        what = f"{clips.folder} {clips.split}{f', version {version}' if version else ''}"
        print(f"encoding the {len(clips):,} clips of {what}, once: {path}", flush=True)
        start, made = time.monotonic(), []
        for first in range(0, len(clips), BATCH):
            rows = list(range(first, min(first + BATCH, len(clips))))
            video = as_model_input(clips.batch(rows)["video"].to(device or self.tokenizer.device))
            if augment is not None:
                video = augment(video, [torch.Generator().manual_seed(row << 16 | version) for row in rows])
            made.append(self.tokenizer.encode(video).to(_integers(self.tokenizer.codebook_size)).cpu())
        print(f"{len(clips) / (time.monotonic() - start):,.0f} clips/s", flush=True)
        return torch.cat(made).numpy()

    @contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.with_name(f".{path.name}.lock").open("w")
        except OSError as error:
            raise _unwritable(path, error) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, path: Path, tokens: NDArray[np.signedinteger], about: dict[str, str]) -> None:
        try:
            with whole_file(path) as partial, h5py.File(partial, "w") as file:
                file.create_dataset("tokens", data=tokens, chunks=True, fletcher32=True, **hdf5plugin.Zstd(clevel=3))
                file.attrs.update(about | {"sha256": _digest(tokens)})
        except OSError as error:
            raise _unwritable(path, error) from None


def _integers(codebook_size: int) -> torch.dtype:
    kinds = (torch.int16, torch.int32, torch.int64)
    return next(kind for kind in kinds if codebook_size - 1 <= torch.iinfo(kind).max)


def _digest(tokens: NDArray[np.signedinteger]) -> str:
    return hashlib.sha256(np.ascontiguousarray(tokens).data).hexdigest()


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot write the tokens to {path}: {error.strerror or error}; set data.token_folder")
