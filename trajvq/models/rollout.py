"""What a generator gives back: how likely clips are, and clips that were drawn.

B clips, T frames; t, h, w tokens over latent frames, rows and columns.
"""

from typing import NamedTuple

from torch import Tensor


class Likelihood(NamedTuple):
    """Natural logarithms of the probability of B clips, each ``(B,)``; their sum is the clip's.

    Attributes:
        plan: Of the path; 0 without planner.
        look: Of how the object looks, which does not depend on the path; 0 without palette.
        told: Of the tokens near the path, given these.
        rest: Of all others, given those.
    """

    plan: Tensor
    look: Tensor
    told: Tensor
    rest: Tensor

    @property
    def total(self) -> Tensor:
        """Of the whole clip, ``(B,)``."""
        return self.plan + self.look + self.told + self.rest


class Rollout(NamedTuple):
    """Clips that were drawn.

    Attributes:
        tokens: int64 ``(B, t, h, w)``.
        path: float ``(B, T, 2)``, planned, x and y from -1 to 1 between the edges; None without planner.
        look: float ``(B, 4)``, planned, see `trajvq.tokens.tracks.as_appearance`; None without palette.
    """

    tokens: Tensor
    path: Tensor | None
    look: Tensor | None
