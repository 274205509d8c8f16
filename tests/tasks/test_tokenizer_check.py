"""A tokenizer that does not hold the clips at hand is named as such, and one that does is not."""

from pathlib import Path

import pytest
import torch

from trajvq.tasks.tokenizer_check import TokenizerCheck, check_tokenizer_on
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.frozen import FrozenTokenizer


def test_a_blind_tokenizer_and_a_perfect_one_are_told_apart(
    dataset: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, frozen = TokenDataModule(dataset), FrozenTokenizer(str(tokenizer))
    blind = check_tokenizer_on(data, frozen)
    assert blind.blind
    assert "its tokens do not hold what moves in them" in str(blind)
    assert str(blind).endswith(f"train one on these clips with `trajvq fit --config recon --data.path {dataset}`")
    monkeypatch.setattr(frozen, "encode", lambda video: video)
    monkeypatch.setattr(frozen, "decode", torch.clone)
    assert (
        str(check_tokenizer_on(data, frozen))
        == "tokenizer on 16 training clips: skill 1.000, 100% of the objects visible"
    )


def test_clips_in_which_nothing_moves_make_no_tokenizer_blind() -> None:
    check = TokenizerCheck(4, None, None, "still")
    assert not check.blind
    assert str(check) == "tokenizer on 4 training clips: nothing moves"
