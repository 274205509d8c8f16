"""Tokenizers load from checkpoints as plain data; everything else is refused in one line."""

import importlib
import pickle
import pkgutil
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
from torch import Tensor

import trajvq
from trajvq.errors import UserError
from trajvq.losses import PlainLoss
from trajvq.models import CausalTokenizer
from trajvq.tasks import Reconstruct
from trajvq.tokens import load_tokenizer
from trajvq.tokens.loading import trained_for
from trajvq.tokens.protocol import build, check_tokenizer, is_normalized, spec_of


def test_a_trained_tokenizer_comes_back_frozen_and_the_same(recon_run: Path) -> None:
    path = recon_run / "checkpoints/best.ckpt"
    content = torch.load(path, weights_only=True)
    tokenizer = load_tokenizer(path)
    check_tokenizer(tokenizer)
    assert not tokenizer.training
    assert not any(weight.requires_grad for weight in tokenizer.parameters())
    for name, value in tokenizer.state_dict().items():
        assert torch.equal(value, content["state_dict"][f"tokenizer.{name}"])
    again = Reconstruct.load_from_checkpoint(path, weights_only=True).eval()
    video = torch.rand(1, 3, 8, 32, 32)
    with torch.no_grad():
        assert torch.equal(tokenizer.encode(video), again.tokenizer.encode(video))  # type: ignore[operator]


def test_a_network_with_normalization_is_recognized() -> None:
    assert is_normalized(CausalTokenizer(width=8))
    assert not is_normalized(torch.nn.Linear(1, 1))


def test_protocols_checked_at_runtime_name_no_submodules() -> None:
    """``isinstance`` does not see them from Python 3.12 on."""
    names = [name for _, name, _ in pkgutil.walk_packages(trajvq.__path__, "trajvq.") if not name.endswith("__main__")]
    classes = {
        each for name in names for each in vars(importlib.import_module(name)).values() if isinstance(each, type)
    }
    checked = [each for each in classes if getattr(each, "_is_runtime_protocol", False)]
    assert len(checked) > 5
    for protocol in checked:
        for name, hint in get_type_hints(protocol).items():
            assert not (isinstance(hint, type) and issubclass(hint, torch.nn.Module)), f"{protocol.__name__}.{name}"


def test_specs_rebuild_the_network_they_describe() -> None:
    spec = spec_of(CausalTokenizer(width=24, strides=(2, 8, 8), levels=(5, 5)))
    tokenizer = build(spec)
    assert spec_of(tokenizer) == spec
    assert tokenizer.codebook_size == 25


def test_hyperparameters_are_plain_without_the_command_line_too() -> None:
    module = Reconstruct(CausalTokenizer(width=16), PlainLoss(), total_steps=10)
    assert module.hparams["tokenizer"]["init_args"]["width"] == 16
    assert module.hparams["loss"]["class_path"] == "trajvq.losses.PlainLoss"


class Forgetful(torch.nn.Module):
    codebook_size, strides = 4, (1, 1, 1)

    def __init__(self, width: int) -> None:
        super().__init__()

    def encode(self, video: Tensor) -> Tensor:
        return video[:, 0].long()


def test_missing_members_and_arguments_are_named() -> None:
    with pytest.raises(UserError, match=r"Forgetful is no tokenizer: it lacks decode, quantize"):
        check_tokenizer(Forgetful(3))
    with pytest.raises(UserError, match="'width'"):
        spec_of(Forgetful(3))
    with pytest.raises(UserError, match="cannot build nowhere.Net"):
        build({"class_path": "nowhere.Net"})
    with pytest.raises(UserError, match="cannot build"):
        build({"class_path": "trajvq.models.CausalTokenizer", "init_args": {"depth": 3}})


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("open('pwned', 'w').close()",)


def test_no_stored_code_is_run(here: Path) -> None:
    path = here / "evil.ckpt"
    torch.save({"state_dict": {}, "hyper_parameters": {"tokenizer": Evil()}}, path, pickle_module=pickle)
    with pytest.raises(UserError, match=r"evil.ckpt cannot be read"):
        load_tokenizer(path)
    assert not (here / "pwned").exists()


@pytest.mark.usefixtures("here")
def test_only_networks_are_built() -> None:
    command = {"class_path": "subprocess.run", "init_args": {"args": ["touch", "pwned"]}}
    for spec in (command, {"class_path": "trajvq.models.CausalTokenizer", "init_args": {"quantizer": command}}):
        with pytest.raises(UserError, match=r"cannot build subprocess.run: it is no torch.nn.Module"):
            build(spec)
    assert not Path("pwned").exists()


def test_missing_damaged_and_foreign_checkpoints_are_one_line(here: Path) -> None:
    with pytest.raises(UserError, match="there is no checkpoint"):
        load_tokenizer(here / "no.ckpt")
    torch.save({"state_dict": {}, "hyper_parameters": {}}, here / "other.ckpt")
    with pytest.raises(UserError, match="holds no tokenizer"):
        load_tokenizer(here / "other.ckpt")
    whole = (here / "other.ckpt").read_bytes()
    (here / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut.ckpt cannot be read"):
        load_tokenizer(here / "cut.ckpt")


def test_a_checkpoint_describes_its_tokens_or_is_refused() -> None:
    settings: dict[str, Any] = {
        "codebook_size": 1000,
        "levels": [8, 5, 5, 5],
        "grid": [4, 8, 8],
        "frames": 4,
        "classes": ["a", "b"],
    }
    layout, classes = trained_for(settings, "x.ckpt")
    assert (layout.codebook_size, layout.levels, layout.grid, layout.frames) == (1000, (8, 5, 5, 5), (4, 8, 8), 4)
    assert classes == ["a", "b"]
    settings["digits"] = settings.pop("levels")
    with pytest.raises(UserError, match=r"x\.ckpt does not describe its tokens.*: train it again"):
        trained_for(settings, "x.ckpt")
