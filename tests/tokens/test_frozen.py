"""A frozen tokenizer never changes; bad, foreign and unfinished ones are refused in one line."""

import copy
from pathlib import Path

import pytest
import torch

from tests.commands.test_fit import NETWORK
from tests.conftest import save_tokenizer
from trajvq.data.storage.manifest import read_manifest
from trajvq.errors import UserError
from trajvq.models import CausalTokenizer
from trajvq.tokens import FrozenTokenizer, load_tokenizer
from trajvq.tokens.protocol import build


def test_tokens_are_those_of_the_checkpoint_whatever_the_precision(tokenizer: Path) -> None:
    frozen, plain = FrozenTokenizer(str(tokenizer)), load_tokenizer(tokenizer)
    video = torch.rand(2, 3, 8, 32, 32)
    with torch.no_grad():
        wanted = plain.encode(video)  # type: ignore[operator]
    assert torch.equal(frozen.encode(video), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(frozen.encode(video), wanted)
    assert not frozen.decode(wanted).requires_grad


def test_copies_of_a_task_share_it(tokenizer: Path) -> None:
    frozen = FrozenTokenizer(str(tokenizer))
    assert copy.deepcopy([frozen])[0] is frozen


def test_the_fingerprint_depends_on_weights_mode_and_gradients(tokenizer: Path) -> None:
    frozen = FrozenTokenizer(str(tokenizer))
    before = frozen.fingerprint()
    assert FrozenTokenizer(str(tokenizer)).fingerprint() == before
    frozen.network.train()
    assert frozen.fingerprint() != before
    frozen.network.eval().requires_grad_(True)
    assert frozen.fingerprint() != before
    frozen.network.requires_grad_(False)
    assert frozen.fingerprint() == before
    next(frozen.network.parameters()).data.view(-1)[0] += 1e-3
    assert frozen.fingerprint() != before


def test_the_layout_has_fsq_digits_and_codes_of_foreign_tokenizers(tokenizer: Path, dataset: Path, here: Path) -> None:
    manifest = read_manifest(dataset)
    layout = FrozenTokenizer(str(tokenizer)).layout(manifest)
    assert (layout.codebook_size, layout.levels, layout.grid, layout.frames) == (1000, (8, 5, 5, 5), (2, 4, 4), 4)
    (here / "pixelnet.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(here))
        save_tokenizer(build({"class_path": "pixelnet.Pixels", "init_args": {"levels": 32}}), here / "mine.ckpt", 0.9)
        own = FrozenTokenizer("mine.ckpt").layout(manifest)
    assert (own.codebook_size, own.levels, own.grid) == (32, (32,), (4, 8, 8))
    manifest.height = 36
    with pytest.raises(UserError, match="36x32"):
        FrozenTokenizer(str(tokenizer)).layout(manifest)


@pytest.mark.parametrize("skill", [0.049, -1.0, float("nan")])
def test_a_tokenizer_without_skill_is_refused(here: Path, skill: float) -> None:
    save_tokenizer(CausalTokenizer(width=16), here / "bad.ckpt", skill)
    with pytest.raises(UserError, match=r"bad.ckpt has a skill of .*, below 0.05"):
        FrozenTokenizer("bad.ckpt")


def test_a_tokenizer_that_was_never_validated_is_refused(tokenizer: Path, here: Path) -> None:
    content = torch.load(tokenizer, weights_only=True) | {"callbacks": {}}
    torch.save(content, here / "early.ckpt")
    with pytest.raises(UserError, match="before its first validation"):
        FrozenTokenizer("early.ckpt")
