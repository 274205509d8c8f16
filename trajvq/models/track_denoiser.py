"""TrackDenoiser: moves sampled tracks to where tracks of their class lie.

A trajectory model that is sampled at full width wobbles: each position or coefficient adds noise of its own, which no
real track has. With little noise it does not wobble, but leaves out unusual tracks. A denoiser (Vincent et al., 2008)
is trained to undo perturbations of training tracks. It takes away what no track of the class has and leaves what such
tracks differ in, so tracks can be sampled with more noise.

B tracks, T frames, D channels; x and y from -1 to 1 between the edges of the picture.
"""

import math

import torch
from torch import Tensor, nn

from trajvq.models.polynomial_trajectory import gram_polynomials
from trajvq.models.residual import ResidualLayer
from trajvq.models.transformer import TokenLayout

SMALLEST, LARGEST = 0.0015, 0.03  # perturbations in training, in half pictures: 0.05 and 1 px of 64
LEVELS = (0.02, 0.01, 0.005)  # perturbations that sampled tracks are taken to have, one after another
SMOOTH = 0.8  # share of the smooth part in half of the perturbations: errors of sampled tracks add up over time
COPIES = 2  # perturbed copies of each track in a step
SMALL = 30.0  # factor of coefficients in their second embedding, which shows small ones


class TrackDenoiser(nn.Module):
    """Undo perturbations of tracks, given their size and the class.

    Args:
        width: D.
        layers: Residual layers.
        dropout: Share dropped in training.
    """

    basis: Tensor

    def __init__(self, width: int = 256, layers: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.width, self.layers, self.dropout = width, layers, dropout

    def build(self, layout: TokenLayout, classes: int) -> None:
        """Create the layers with fresh weights; see `trajvq.models.token_model.TokenModel.build`."""
        width, self.frames = self.width, layout.grid[0] * layout.frames
        self.register_buffer("basis", gram_polynomials(self.frames, self.frames), persistent=False)
        self.embed, self.label = nn.Linear(4 * self.frames + 1, width), nn.Embedding(classes + 1, width)
        self.body = nn.Sequential(*(ResidualLayer(width, self.dropout) for _ in range(self.layers)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * self.frames))
        last = self.head[1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)  # at first tracks stay as they are
        nn.init.zeros_(last.bias)

    def forward(self, tracks: Tensor, size: Tensor, label: Tensor) -> Tensor:
        """Return tracks ``(B, T, 2)`` without perturbations of a size ``(B,)``.

        Args:
            tracks: float ``(B, T, 2)`` without gaps.
            size: float ``(B,)``, root mean square of a coordinate in half pictures.
            label: int64 ``(B,)``; the number of classes stands for no class.
        """
        coefficients = torch.einsum("tf,btc->bfc", self.basis, tracks).flatten(1)
        features = torch.cat([coefficients, (SMALL * coefficients).asinh(), (size / LARGEST).log()[:, None]], dim=1)
        hidden = self.body(self.embed(features) + self.label(label))
        change = torch.einsum("tf,bfc->btc", self.basis, self.head(hidden).view(len(tracks), self.frames, 2))
        return tracks + size[:, None, None] * change

    def loss(self, tracks: Tensor, label: Tensor) -> Tensor:
        """Return the mean squared error of denoised tracks relative to the size of their perturbations.

        Args:
            tracks: float ``(B, T, 2)`` without gaps.
            label: int64 ``(B,)``.
        """
        tracks, label = tracks.repeat(COPIES, 1, 1), label.repeat(COPIES)
        uniform = torch.rand(len(tracks), device=tracks.device)
        size = SMALLEST * (uniform * math.log(LARGEST / SMALLEST)).exp()
        noise = torch.randn_like(tracks)
        walk = torch.randn_like(tracks).cumsum(dim=1).cumsum(dim=1)
        smooth = SMOOTH * walk / walk.square().mean(dim=(1, 2), keepdim=True).sqrt() + (1 - SMOOTH) * noise
        noise = torch.where(torch.rand_like(size)[:, None, None] < 0.5, smooth, noise)
        denoised = self(tracks + size[:, None, None] * noise, size, label)
        error: Tensor = (denoised - tracks) / (size + SMALLEST)[:, None, None]
        return error.square().mean()

    def denoise(self, tracks: Tensor, label: Tensor) -> Tensor:
        """Return sampled tracks ``(B, T, 2)`` denoised in a few steps."""
        for level in LEVELS:
            tracks = self(tracks, torch.full_like(tracks[:, 0, 0], level), label)
        return tracks
