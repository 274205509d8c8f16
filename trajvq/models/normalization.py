"""ClipNormalization: clips in units of their own data, so that faint and inverted clips train like any others."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trajvq.errors import UserError


class ClipNormalization(nn.Module):
    """Subtract a background and divide by a contrast, both of the training clips.

    They are buffers, so they are stored with the weights. Until `fit`, clips in [0, 1] are only shifted by 0.5.

    Attributes:
        background: float ``(3, 1, 1, 1)``, one color, or ``(3, 1, H, W)``, the picture of a fixed camera; in [0, 1].
        contrast: float scalar: the difference from the background that becomes 1.
    """

    background: Tensor
    contrast: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("background", torch.full((3, 1, 1, 1), 0.5))
        self.register_buffer("contrast", torch.ones(()))
        self.register_load_state_dict_pre_hook(_take_shape)  # type: ignore[no-untyped-call]

    def fit(self, background: Tensor, contrast: float) -> None:
        """Set background and contrast; see the attributes.

        Raises:
            ValueError: If the contrast is not positive.
        """
        if contrast <= 0:
            raise ValueError(f"contrast is {contrast}; give a positive number")
        self.background = background.to(self.background).contiguous()
        self.contrast = torch.as_tensor(contrast).to(self.contrast)

    def forward(self, video: Tensor) -> Tensor:
        """Return clips ``(B, 3, T, H, W)`` in [0, 1] in units of the contrast, about -1 to 1.

        Raises:
            UserError: If the background is a picture of another size than the clips.
        """
        self._check(video)
        return (video - self.background) / self.contrast

    def inverse(self, normalized: Tensor) -> Tensor:
        """Return clips ``(B, 3, T, H, W)``, roughly in [0, 1], of normalized ones.

        Raises:
            UserError: If the background is a picture of another size than the clips.
        """
        self._check(normalized)
        return normalized * self.contrast + self.background

    def _check(self, video: Tensor) -> None:
        height, width = self.background.shape[-2:]
        if (height, width) != (1, 1) and (height, width) != video.shape[-2:]:
            raise UserError(
                f"the tokenizer subtracts the background of a fixed camera, {height}x{width} (height x width), and the "
                f"clips are {video.shape[-2]}x{video.shape[-1]}; give clips of its size, or train a tokenizer on these"
            )


def _take_shape(module: nn.Module, state: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
    """Give a normalization the shape of a stored background, in copies of the network such as a moving average, too."""
    stored = state.get(f"{prefix}background")
    if stored is not None and isinstance(module, ClipNormalization):
        module.background = module.background.new_zeros(stored.shape)


def match_backgrounds(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give the backgrounds of a network's normalizations the shapes of stored ones, before they are compared.

    Args:
        network: The network, changed in place.
        state: A state dict for it.
    """
    for name, module in network.named_modules():
        if isinstance(module, ClipNormalization):
            _take_shape(module, state, f"{name}." if name else "")
