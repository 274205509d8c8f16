"""FrozenTokenizer: a trained tokenizer that the training of a task cannot change."""

import hashlib
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from trajvq.data.storage.manifest import Manifest
from trajvq.errors import UserError
from trajvq.io.urls import is_remote
from trajvq.models.quantizer import levels_of
from trajvq.models.transformer import TokenLayout
from trajvq.tokens.loading import network_of
from trajvq.tokens.protocol import Tokenizer
from trajvq.tokens.streaming import decode, encode, remarks
from trajvq.tokens.weights import DEFAULT, SCORE, read_tokenizer

LOWEST = 0.05  # skill below which tokens do not hold the object


class FrozenTokenizer:
    """A trained tokenizer that is never trained, averaged, set to training mode or saved again.

    It is not a module, so a task does not find its network: it is not part of the optimizer, of the average of
    weights or of the task's checkpoint, which stores its `identity` instead.

    Args:
        checkpoint: Path or fsspec URL of a checkpoint written by ``trajvq fit --config configs/recon.yaml``, a folder
            written by ``trajvq export``, ``hf://OWNER/NAME`` for one on the Hugging Face Hub, or ``default`` for the
            tokenizer that comes with the package.

    Attributes:
        path: ``default``, the URL, or the path with links resolved, since ``latest`` changes.
        sha256: SHA-256 of the checkpoint file; of a folder, that of class, arguments and weights.
        skill: ``val/skill`` of the weights.
        network: The network, a `trajvq.tokens.Tokenizer`.

    Raises:
        UserError: If there is no such checkpoint, it holds no tokenizer, or its skill is below 0.05.
    """

    def __init__(self, checkpoint: str) -> None:
        if not is_remote(checkpoint) and checkpoint != DEFAULT and not Path(checkpoint).exists():
            raise UserError(
                f"there is no checkpoint {checkpoint}; train one with `trajvq fit --config recon`, or give "
                f"`{DEFAULT}`, the tokenizer that comes with trajvq"
            )
        weights = read_tokenizer(checkpoint)
        self.path, self.sha256, self.network = weights.path, weights.sha256, network_of(weights)
        if weights.skill is None:
            raise UserError(
                f"the tokenizer {self.path} holds no {SCORE}: it was saved before its first validation; use best.ckpt, "
                "or an export of it"
            )
        self.skill = weights.skill
        if not self.skill >= LOWEST:
            raise UserError(
                f"the tokenizer {checkpoint} has a skill of {self.skill:.3f}, below {LOWEST}, so its tokens do not "
                "hold the object; train it longer, or set model.tokenizer_ckpt"
            )
        self.device = torch.device("cpu")

    def __deepcopy__(self, memo: dict[int, Any]) -> "FrozenTokenizer":
        """Return the tokenizer itself: it never changes, so copies of a task share it."""
        return self

    def __str__(self) -> str:
        return f"{self.path} (sha256 {self.sha256[:12]}, skill {self.skill:.3f})"

    @property
    def codebook_size(self) -> int:
        """Number of different tokens."""
        size = self.network.codebook_size
        assert isinstance(size, int)
        return size

    def layout(self, manifest: Manifest, padded: bool = False) -> TokenLayout:
        """Return the layout of the tokens of a dataset's clips.

        Args:
            manifest: The dataset's manifest.
            padded: Accept clips that end within a token, as `encode` does.

        Raises:
            UserError: If the clips do not divide into whole tokens, or the quantizer contradicts itself.
        """
        strides = self.network.strides
        assert isinstance(strides, tuple)
        sizes = (manifest.frames, manifest.height, manifest.width)
        if any(size % stride for size, stride in list(zip(sizes, strides, strict=True))[padded:]):
            raise UserError(
                f"clips of {sizes[0]} frames of {sizes[1]}x{sizes[2]} (height x width) are no multiples of the "
                f"strides {list(strides)} of the tokenizer {self.path}; choose another tokenizer or other clips"
            )
        try:
            levels = levels_of(getattr(self.network, "quantizer", None), self.codebook_size)
        except ValueError as error:
            raise UserError(f"the tokenizer {self.path} cannot be used: {error}") from None
        t, h, w = (ceil(size / stride) for size, stride in zip(sizes, strides, strict=True))
        return TokenLayout(self.codebook_size, levels, (t, h, w), strides[0])

    def encode(self, video: Tensor, device: torch.device | None = None) -> Tensor:
        """Return tokens int64 ``(B, t, h, w)`` of clips, without gradients, in constant memory.

        Always in float32, so that tokens from the cache and tokens of augmented clips agree. Arguments as for
        `trajvq.tokens.streaming.encode`.
        """
        device = device or video.device
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            return encode(self._on(device), video, device)

    def decode(self, tokens: Tensor) -> Tensor:
        """Return clips float32 ``(B, 3, T, H, W)`` of tokens int64 ``(B, t, h, w)``, without gradients."""
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            return decode(self._on(tokens.device), tokens)

    def remarks(self, manifest: Manifest) -> list[str]:
        """Return what a user should know before a dataset's clips are encoded; see `trajvq.tokens.streaming`."""
        return remarks(self._on(self.device), manifest.frames, manifest.height, manifest.width, self.device)

    def fingerprint(self) -> str:
        """Return a hash of weights, buffers and modes, to prove that training a task leaves them unchanged."""
        digest = hashlib.sha256(str([module.training for module in self.network.modules()]).encode())
        for name, value in [*self.network.named_parameters(), *self.network.named_buffers()]:
            digest.update(f"{name} {value.dtype} {value.requires_grad}".encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def identity(self) -> dict[str, str]:
        """Return what a task's checkpoint stores of the tokenizer."""
        return {"path": self.path, "sha256": self.sha256}

    def check(self, stored: Mapping[str, str] | None, checkpoint: str) -> None:
        """Check that a task's checkpoint was trained on this tokenizer.

        Args:
            stored: The `identity` in the checkpoint.
            checkpoint: The checkpoint's name in messages.

        Raises:
            UserError: If it was trained on another tokenizer.
        """
        if stored is None or stored["sha256"] != self.sha256:
            if stored and stored["path"] == self.path == DEFAULT:
                raise UserError(
                    f"{checkpoint} was trained on the tokenizer {DEFAULT} of another trajvq (sha256 "
                    f"{stored['sha256'][:12]}, here {self.sha256[:12]}); train it again, or install that trajvq"
                )
            other = f"{stored['path']} (sha256 {stored['sha256'][:12]})" if stored else "none"
            raise UserError(
                f"{checkpoint} was trained on the tokenizer {other}, not on {self.path} (sha256 {self.sha256[:12]}); "
                "set model.tokenizer_ckpt to the first"
            )

    def _on(self, device: torch.device) -> Tokenizer:
        if device != self.device:
            self.network.to(device)
            self.device = device
        return cast(Tokenizer, self.network)  # `check_tokenizer` has seen it
