"""ResidualLayer, of which the networks of trajectory models consist.

B clips, D channels.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class ResidualLayer(nn.Module):
    """A two-layer network behind a norm and beside an identity.

    Args:
        width: D.
        dropout: Share of the update dropped in training.
    """

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)
        self.expand, self.contract = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        updated: Tensor = x + self.drop(self.contract(F.gelu(self.expand(self.norm(x)))))
        return updated
