"""Whether a frozen tokenizer holds the clips at hand, which may be of another kind than those it was trained on."""

from dataclasses import dataclass

import torch

from trajvq.io.video import to_float
from trajvq.metrics.reconstruction.scoreboard import ReconstructionScoreboard
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.frozen import LOWEST, FrozenTokenizer

CLIPS = 16  # training clips looked at, spread over the split
BATCH = 8


@dataclass(frozen=True)
class TokenizerCheck:
    """How well a tokenizer reconstructs some training clips.

    Attributes:
        clips: Their number.
        skill: See `trajvq.metrics.figures`; None where nothing moves.
        visible: Share of objects that stay visible; None where there are none.
        path: The dataset.
    """

    clips: int
    skill: float | None
    visible: float | None
    path: str

    @property
    def blind(self) -> bool:
        """Whether the tokens do not hold what moves."""
        return self.skill is not None and self.skill < LOWEST

    def __str__(self) -> str:
        figures = [f"skill {self.skill:.3f}"] if self.skill is not None else ["nothing moves"]
        figures += [f"{self.visible:.0%} of the objects visible"] if self.visible is not None else []
        line = f"tokenizer on {self.clips} training clips: {', '.join(figures)}"
        if not self.blind:
            return line
        return (
            f"{line}; its tokens do not hold what moves in them, so no figure of this run means anything: train one "
            f"on these clips with `trajvq fit --config recon --data.path {self.path}`"
        )


def check_tokenizer_on(data: TokenDataModule, tokenizer: FrozenTokenizer) -> TokenizerCheck:
    """Reconstruct some training clips. The same clips give the same answer.

    Args:
        data: Of the run.
        tokenizer: Of the run.
    """
    clips = data.clips("train")
    rows = torch.linspace(0, len(clips) - 1, min(len(clips), CLIPS)).long()
    board = ReconstructionScoreboard(full=False)
    for part in rows.split(BATCH):  # type: ignore[no-untyped-call]
        batch = clips.batch(part.tolist())
        video = to_float(batch["video"])
        board.update(batch | {"video": video}, tokenizer.decode(tokenizer.encode(video)))
    row = board.compute()["rows"]["model"]
    return TokenizerCheck(len(rows), row.get("skill"), row.get("visible"), str(data.path))
