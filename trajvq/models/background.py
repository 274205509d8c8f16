"""Background tokens: those away from the object, predicted in parallel from the cells and the tokens already known.

B clips; N tokens of a clip in the order of the grid; D channels of a cell.
"""

from torch import Tensor, nn

from trajvq.models.causal import ResidualBlock
from trajvq.models.codes import CodeHead
from trajvq.models.transformer import TokenLayout


class ParallelHead(nn.Module):
    """Predict tokens independently of each other, given known tokens of the same and earlier latent frames.

    Args:
        layout: Of the tokens.
        width: D.
        background_width: Channels of the residual blocks.
        background_depth: Residual blocks, each of which sees one cell further and one latent frame further back.
        dropout: Share of the features of tokens, and of the result, dropped in training.
    """

    def __init__(
        self, layout: TokenLayout, width: int, background_width: int, background_depth: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.grid, self.drop = layout.grid, nn.Dropout(dropout)
        self.tokens, self.cells = nn.Linear(width, background_width), nn.Linear(width, background_width)
        self.blocks = nn.Sequential(*(ResidualBlock(background_width) for _ in range(background_depth)))
        self.head = CodeHead(layout, background_width)

    def forward(self, embedded: Tensor, observed: Tensor, cells: Tensor) -> Tensor:
        """Return features ``(B, N, background_width)`` for `head`.

        Args:
            embedded: ``(B, N, D)`` embedded tokens; only those of observed tokens count.
            observed: bool ``(B, N)``: tokens that are known.
            cells: ``(B, N, D)``; see `trajvq.models.cells.CellFeatures`.
        """
        tokens = self.drop(self.tokens(embedded)) * observed[..., None]
        features: Tensor = self.drop(self.blocks((tokens + self.cells(cells)).unflatten(1, self.grid)))
        return features.flatten(1, 3)
