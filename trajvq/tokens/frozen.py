"""FrozenTokenizer: the tokenizer that a task stands on, out of reach of its training."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trajvq.data.storage.shards import Manifest
from trajvq.errors import UserError
from trajvq.io.cache import local_copy
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.files import file_sha256
from trajvq.io.urls import is_remote
from trajvq.models.fsq import FSQ
from trajvq.models.transformer import TokenLayout
from trajvq.tokens.loading import load_tokenizer

LOWEST = 0.05  # skill below which a tokenizer is as good as nothing
SCORE = "val/skill"


class FrozenTokenizer:
    """A trained tokenizer that nothing trains, averages, switches to training mode or saves again.

    It is no module, so that none of a task's own machinery finds its network: not the optimizer, not the
    averaging of weights, not the checkpoint, which holds `identity` instead.

    Args:
        checkpoint: Path or fsspec URL of a checkpoint written by ``trajvq fit --config configs/recon.yaml``.

    Attributes:
        path: The checkpoint, a URL as it was given; of files links are followed, since ``latest`` moves on.
        sha256: Of the checkpoint file.
        skill: ``val/skill`` of the weights.
        network: The network, a `trajvq.tokens.Tokenizer`.

    Raises:
        UserError: If there is no such checkpoint, it is none of a tokenizer, or its skill is below 0.05.
    """

    def __init__(self, checkpoint: str) -> None:
        local = local_copy(checkpoint).resolve()
        self.path = checkpoint if is_remote(checkpoint) else str(local)
        content = read_checkpoint(local)
        self.sha256 = file_sha256(local)
        self.network = load_tokenizer(local)
        self.skill = _skill(content, self.path)
        if not self.skill >= LOWEST:
            raise UserError(
                f"the tokenizer {checkpoint} has a skill of {self.skill:.3f}, below {LOWEST}: its tokens hold nothing; "
                "train it longer, or set model.tokenizer_ckpt"
            )
        self.device = torch.device("cpu")

    def __deepcopy__(self, memo: dict[int, Any]) -> "FrozenTokenizer":
        """Return itself: it never changes, so copies of a task share it."""
        return self

    def __str__(self) -> str:
        return f"{self.path} (sha256 {self.sha256[:12]}, skill {self.skill:.3f})"

    @property
    def codebook_size(self) -> int:
        """Number of different tokens."""
        size = self.network.codebook_size
        assert isinstance(size, int)
        return size

    def layout(self, manifest: Manifest) -> TokenLayout:
        """Return what the tokens of a dataset's clips look like.

        Raises:
            UserError: If the clips do not divide into whole tokens.
        """
        strides = self.network.strides
        assert isinstance(strides, tuple)
        sizes = (manifest.frames, manifest.height, manifest.width)
        if any(size % stride for size, stride in zip(sizes, strides, strict=True)):
            raise UserError(
                f"clips of {sizes[0]} frames of {sizes[1]}x{sizes[2]} (height x width) are no multiples of the "
                f"strides {list(strides)} of the tokenizer {self.path}; choose another tokenizer or other clips"
            )
        quantizer = getattr(self.network, "quantizer", None)
        levels = tuple(quantizer.levels.tolist()) if isinstance(quantizer, FSQ) else (self.codebook_size,)
        t, h, w = (size // stride for size, stride in zip(sizes, strides, strict=True))
        return TokenLayout(self.codebook_size, levels, (t, h, w), strides[0])

    def encode(self, video: Tensor) -> Tensor:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1], without gradients.

        In float32 whatever the precision around it, so that tokens are the same from the cache and on the fly.
        """
        with torch.no_grad(), torch.autocast(video.device.type, enabled=False):
            made: Tensor = self._on(video.device).encode(video.float())  # type: ignore[operator]
        return made

    def decode(self, tokens: Tensor) -> Tensor:
        """Return clips float32 ``(B, 3, T, H, W)`` of tokens int64 ``(B, t, h, w)``, without gradients."""
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            made: Tensor = self._on(tokens.device).decode(tokens)  # type: ignore[operator]
        return made

    def fingerprint(self) -> str:
        """Return a hash of weights, buffers and mode: the same before and after a task's training."""
        digest = hashlib.sha256(str([module.training for module in self.network.modules()]).encode())
        for name, value in [*self.network.named_parameters(), *self.network.named_buffers()]:
            digest.update(f"{name} {value.dtype} {value.requires_grad}".encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def identity(self) -> dict[str, str]:
        """Return what a task's checkpoint keeps of it."""
        return {"path": self.path, "sha256": self.sha256}

    def check(self, stored: Mapping[str, str] | None, checkpoint: str) -> None:
        """Check that a task's checkpoint was trained on this tokenizer.

        Args:
            stored: The `identity` in the checkpoint.
            checkpoint: What to call it.

        Raises:
            UserError: If it was trained on another one.
        """
        if stored is None or stored["sha256"] != self.sha256:
            other = f"{stored['path']} (sha256 {stored['sha256'][:12]})" if stored else "no frozen one"
            raise UserError(
                f"{checkpoint} was trained on the tokenizer {other}, not on {self.path} (sha256 {self.sha256[:12]}); "
                "set model.tokenizer_ckpt to the first"
            )

    def _on(self, device: torch.device) -> nn.Module:
        if device != self.device:
            self.network.to(device)
            self.device = device
        return self.network


def _skill(content: Mapping[str, Any], path: str) -> float:
    """Find the skill of the weights in the state of the callback that chose the best ones.

    Raises:
        UserError: If they were never validated.
    """
    for state in content.get("callbacks", {}).values():
        if isinstance(state, Mapping) and state.get("monitor") == SCORE:
            found = state.get("current_score")
            if found is not None:
                return float(found)
    raise UserError(f"the tokenizer {path} holds no {SCORE}: it was saved before its first validation; use best.ckpt")
