"""Polynomial trajectories: where the object is in a clip, as a polynomial in time, from coarse to fine.

A track is its coefficients in orthogonal polynomials (Gram, 1883: Legendre's, orthogonal on the frames of a clip). The
lowest ones hold where the object is, how fast it moves and how it turns; the highest ones hold little but the noise of
the tracker, and are left out. So a sampled path does not wobble, however widely it is sampled. Coefficients are sampled
one after another, each from a mixture of Gaussians given those before it.

B clips, T frames, F coefficients of x and as many of y, K Gaussians, D channels.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from trajvq.models.cells import fill_gaps
from trajvq.models.mixture import Mixture, candidates
from trajvq.models.reference_frame import ReferenceFrame, side_of, unit
from trajvq.models.residual import ResidualLayer
from trajvq.models.sampling import Sampling, uniforms
from trajvq.models.transformer import TokenLayout

GRID = 512  # grid lines of coefficients in a token's cell
TOLERANCE = 1 / 250  # half pictures: 0.13 px of 64; as near as polynomials come to tracks, in the mean over frames
FOLLOWED = 0.95  # share of the tracks for which this holds
LEVEL = 0.35  # typical size of the lowest two coefficients, relative to the root of T, in half pictures
DECAY = 0.6  # of each further one, relative to the one before
MIN_LOG_WIDTH, MAX_LOG_WIDTH = -7.0, 3.0  # of a Gaussian, relative to the typical size of its coefficient
SMALL = 10.0  # factor of coefficients in their second embedding, which shows small ones
CONTINUED = 0.2  # share of tracks in training whose first positions are given


class PolynomialTrajectory(nn.Module):
    """A `trajvq.models.trajectory_model.TrajectoryModel` of smooth tracks with a density.

    The network sees and predicts coefficients along and across the mean motion as far as that is known, since paths
    that are turned or mirrored look alike.

    Args:
        coefficients: F; at most T. A motion that turns back and forth often needs more. With T the track is complete,
            the noise of the tracker included. ``auto``: as many as follow the tracks of training clips, see `adapt`;
            T if there are none.
        width: D.
        layers: Residual layers.
        mixtures: K.
        dropout: Share dropped in training.
        sizes: ``(F,)`` typical sizes of the coefficients, in half pictures, which `adapt` measures.
        track_noise: Standard deviation of the tracker's noise in x and y, in half pictures, which `adapt` measures;
            sampled tracks are free of it, since tokens have noise of their own. None for no noise.
    """

    basis: Tensor
    size: Tensor
    grid: Tensor
    has_density = True

    def __init__(
        self,
        coefficients: int | Literal["auto"] = "auto",
        width: int = 192,
        layers: int = 4,
        mixtures: int = 8,
        dropout: float = 0.0,
        sizes: Sequence[float] | None = None,
        track_noise: float | None = None,
    ) -> None:
        super().__init__()
        if coefficients != "auto" and coefficients < 1:
            raise ValueError(f"a track of {coefficients} coefficients is nowhere; give at least 1")
        self.coefficients, self.width, self.layers = coefficients, width, layers
        self.mixtures, self.dropout = mixtures, dropout
        self.sizes, self.track_noise = None if sizes is None else list(sizes), track_noise

    def adapt(self, tracks: Tensor, symmetric: bool) -> str:
        """Choose the number of coefficients, if it is ``auto``, and measure sizes and noise; see `AdaptiveTrajectory`.

        The number is the smallest for which the polynomials follow 95 % of the tracks to 1/250 of half a picture. What
        they leave is noise.
        """
        tracks = fill_gaps(tracks).double()
        frames = tracks.shape[1]
        every = torch.einsum("tf,btc->bfc", gram_polynomials(frames, frames).double(), tracks)
        beyond = every.square().sum(dim=2).flip(1).cumsum(dim=1).flip(1)  # (B, T): of this coefficient and all later
        distance = torch.nn.functional.pad((beyond / frames).sqrt(), (0, 1))  # (B, T + 1), with so many coefficients
        follows = distance.quantile(FOLLOWED, dim=0) <= TOLERANCE
        enough = max(int(follows.to(torch.uint8).argmax()), 1)
        count = enough if self.coefficients == "auto" else min(self.coefficients, frames)
        self.coefficients = count
        self.sizes = [round(float(size), 6) for size in every[:, :count].square().mean(dim=(0, 2)).sqrt()]
        left = distance[:, count].median() * (frames / (2 * max(frames - count, 1))) ** 0.5  # of a coefficient
        self.track_noise = round(float(left), 6)
        far = 50 * float(distance[:, count].quantile(FOLLOWED))
        return (
            f"paths: polynomials of {count} coefficients; they follow {FOLLOWED:.0%} of the tracks to {far:.2f} % of "
            f"the picture, and the tracker's noise is {50 * self.track_noise:.2f} %"
        )

    def build(self, layout: TokenLayout, classes: int) -> None:
        """Create the layers with fresh weights; see `TrajectoryModel.build`."""
        width, self.classes = self.width, classes
        self.frames = layout.grid[0] * layout.frames
        self.count = self.frames if self.coefficients == "auto" else min(self.coefficients, self.frames)
        self.register_buffer("basis", gram_polynomials(self.frames, self.count), persistent=False)
        order = torch.arange(self.count)
        square = torch.tensor([2 / (GRID * layout.grid[2]), 2 / (GRID * layout.grid[1])])
        self.register_buffer("grid", square, persistent=False)  # in x and y
        size = LEVEL * self.frames**0.5 * DECAY ** (order - 1).clamp(min=0)
        size = size if self.sizes is None else torch.tensor(self.sizes)
        self.register_buffer("size", size.clamp(min=float(square.max()))[:, None], persistent=False)
        self.embed = nn.Linear(4 * self.count + 2, width)
        self.embed_prefix = nn.Linear(3 * self.frames, width, bias=False)
        self.order, self.label = nn.Embedding(self.count, width), nn.Embedding(classes + 1, width)
        self.body = nn.Sequential(*(ResidualLayer(width, self.dropout) for _ in range(self.layers)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 6 * self.mixtures))

    def snap(self, tracks: Tensor) -> Tensor:
        """Return tracks ``(B, T, 2)`` as polynomials, with coefficients on the grid."""
        return self._positions(self._coefficients(tracks))

    def log_probability(self, tracks: Tensor, label: Tensor) -> Tensor:
        """Return the natural log-probability ``(B, F)`` of every coefficient; see `TrajectoryModel.log_probability`.

        In training some of the tracks are continued: their first positions are given, and the probability is that of
        the coefficients given these.
        """
        context = torch.zeros_like(label)
        if self.training:
            length = torch.randint(1, self.frames, label.shape, device=label.device)
            context = length * (torch.rand(label.shape, device=label.device) < CONTINUED)
        return self._log_probability(tracks, context, label)

    def loss(self, tracks: Tensor, context: Tensor, label: Tensor) -> Tensor:
        """Return the mean negative log-probability of a position after the context; see `TrajectoryModel.loss`."""
        total = self._log_probability(fill_gaps(tracks), context, label).sum(dim=1)
        return -total.sum() / (self.frames - context).sum()

    def sample(
        self, prefix: Tensor, frames: int, label: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Return tracks ``(B, frames, 2)`` that continue the prefix; see `TrajectoryModel.sample`.

        The noise scale multiplies the width of each Gaussian; at 0 coefficients are the means of the likeliest ones.
        """
        number, context, noise = candidates(sampling.guidance), prefix.shape[1], self.track_noise or 0.0
        uniform = uniforms(generators, self.count * number * 3, prefix.device).view(len(label), self.count, number, 3)
        labels = label if sampling.guidance == 1 else torch.cat([label, torch.full_like(label, self.classes)])
        copies = len(labels) // len(label)
        start = self._prefix(prefix, torch.full_like(label, context)).repeat(copies, 1)
        coefficients = prefix.new_zeros((len(label), self.count, 2))
        for k in range(self.count):
            order = torch.tensor([k], device=prefix.device)
            frame = self._frame(coefficients, order)
            mixtures = self._mixtures(coefficients.repeat(copies, 1, 1), start, labels, order)
            mixture = Mixture(*(part[:, 0] for part in mixtures))
            point = mixture.sample(uniform[:, k], sampling.noise_scale, sampling.guidance, noise)
            coefficients[:, k] = self._rounded(frame.out_of(point[:, None])[:, 0])
        return torch.cat([prefix, self._positions(coefficients)[:, context:frames]], dim=1)

    def _log_probability(self, tracks: Tensor, context: Tensor, label: Tensor) -> Tensor:
        """Return ``(B, F)``, where the first ``context`` ``(B,)`` positions are known."""
        coefficients = self._coefficients(tracks)
        order = torch.arange(self.count, device=tracks.device)
        mixtures = self._mixtures(coefficients, self._prefix(tracks, context), label, order)
        points = self._frame(coefficients, order).into(coefficients)
        return mixtures.log_density(points) + self.grid.log().sum()

    def _rounded(self, coefficients: Tensor) -> Tensor:
        return (coefficients / self.grid).round() * self.grid

    def _coefficients(self, tracks: Tensor) -> Tensor:
        """Return coefficients ``(B, F, 2)`` on the grid."""
        return self._rounded(torch.einsum("tf,btc->bfc", self.basis, tracks))

    def _positions(self, coefficients: Tensor) -> Tensor:
        """Return tracks ``(B, T, 2)``."""
        return torch.einsum("tf,bfc->btc", self.basis, coefficients)

    def _prefix(self, tracks: Tensor, context: Tensor) -> Tensor:
        """Return an embedding ``(B, D)`` of the first ``context`` ``(B,)`` positions; 0 without any."""
        visible = (torch.arange(self.frames, device=tracks.device) < context[:, None]).to(tracks.dtype)
        missing = self.frames - tracks.shape[1]
        whole = nn.functional.pad(tracks, (0, 0, 0, missing))
        embedded: Tensor = self.embed_prefix(torch.cat([(whole * visible[..., None]).flatten(1), visible], dim=1))
        return embedded

    def _frame(self, coefficients: Tensor, order: Tensor) -> ReferenceFrame:
        """Return the axes ``(B, N)`` in which N coefficients are predicted from those before them.

        The first two are predicted in the picture's own axes, the third along and across the mean motion, and from the
        fourth on the second axis points to the side that the motion turns to.

        Args:
            coefficients: ``(B, F, 2)``.
            order: ``(N,)``, which ones.
        """
        motion, bend = (coefficients[:, min(k, self.count - 1), None] for k in (1, 2))
        direction = torch.where((order > 1)[:, None], unit(motion), motion.new_tensor([1.0, 0.0]))
        return ReferenceFrame(direction, torch.where(order > 2, side_of(bend, direction), 1.0))

    def _mixtures(self, coefficients: Tensor, prefix: Tensor, label: Tensor, order: Tensor) -> Mixture:
        """Return the mixtures ``(B, N, K)`` of N coefficients, each given those before it, in the axes of `_frame`.

        Args:
            coefficients: ``(B, F, 2)``.
            prefix: ``(B, D)``.
            label: ``(B,)``.
            order: ``(N,)``, which ones.
        """
        earlier = order[:, None] > torch.arange(self.count, device=order.device)
        direction, side = frame = self._frame(coefficients, order)
        each = ReferenceFrame(direction[:, :, None], side[:, :, None])  # axes of N for the F before
        relative = each.into((coefficients / self.size)[:, None] * earlier[..., None])
        features = torch.cat([relative.flatten(2), (SMALL * relative).asinh().flatten(2) / 2, frame.heading], dim=-1)
        hidden = self.embed(features) + self.order(order) + (prefix + self.label(label))[:, None]
        weight, raw = self.head(self.body(hidden)).unflatten(-1, (self.mixtures, 6)).split((1, 5), dim=-1)
        size = self.size[order, None]
        width = size * raw[..., 2:4].clamp(MIN_LOG_WIDTH, MAX_LOG_WIDTH).exp()
        along, across = (width.square() + self.grid.square()).sqrt().unbind(dim=-1)  # no narrower than the grid
        factor = torch.stack([along, along * raw[..., 4], across], dim=-1)
        return Mixture(weight[..., 0].log_softmax(dim=-1), size * raw[..., :2], factor)


def gram_polynomials(frames: int, count: int) -> Tensor:
    """Return the first orthonormal polynomials on evenly spaced frames, by degree: float32 ``(frames, count)``."""
    powers = np.polynomial.legendre.legvander(np.linspace(-1, 1, frames), count - 1)
    basis, triangle = np.linalg.qr(powers)
    return torch.from_numpy(basis * np.sign(np.diag(triangle))).float()
