"""Old names are answered with the new ones, and the table of them is true."""

from pathlib import Path
from typing import Any

import pytest
import torch

from trajvq.commands import registry
from trajvq.commands.messages import arguments_of
from trajvq.errors import UserError
from trajvq.io.checkpoint import OldCheckpointError, read_checkpoint
from trajvq.io.renamed import CLASSES, OPTIONS, VALUES


@pytest.mark.parametrize("name", OPTIONS)
def test_classes_take_new_options_and_refuse_old_ones(name: str) -> None:
    parameters = arguments_of(getattr(registry, name))
    for old, new in OPTIONS[name].items():
        assert old not in parameters
        assert new.startswith("model.") or new.partition(".")[0] in parameters


@pytest.mark.parametrize("name", VALUES)
def test_options_with_new_values_exist(name: str) -> None:
    assert set(VALUES[name]) <= set(arguments_of(getattr(registry, name)))


def test_new_classes_exist_and_old_ones_do_not() -> None:
    for old, new in CLASSES.items():
        assert new in registry.__all__
        assert old not in registry.__all__


def spec(class_path: str, options: dict[str, Any]) -> dict[str, Any]:
    return {"class_path": class_path, "init_args": options}


@pytest.mark.parametrize(
    ("content", "old"),
    [
        ({"made_for": {"classes": []}}, "made_for"),
        ({"hyper_parameters": {"tokenizer": spec("trajvq.models.CausalTokenizer", {"thin": 48})}}, "thin"),
        ({"hyper_parameters": {"_class_path": "trajvq.tasks.Sample", "rest_weight": 0.5}}, "rest_weight"),
        ({"hyper_parameters": {"network": spec("trajvq.models.Forecaster", {"noise": 16})}}, "Forecaster"),
        ({"hyper_parameters": {"network": spec("trajvq.models.Generator", {"tokens": None, "reach": 1})}}, "reach"),
    ],
)
def test_a_checkpoint_with_an_old_name_is_one_line(tmp_path: Path, content: dict[str, Any], old: str) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": {}, **content}, path)
    with pytest.raises(OldCheckpointError, match=rf"written by an older trajvq: train it again \(it has '{old}'\)$"):
        read_checkpoint(path)


def test_a_class_of_the_users_own_may_have_options_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "own.ckpt"
    settings = {
        "_class_path": "mine.Sample",
        "spread": 1,
        "tokenizer": spec(
            "mine.CausalTokenizer", {"thin": 3, "head": spec("trajvq.models.CausalTokenizer", {"width": 8})}
        ),
    }
    torch.save({"state_dict": {}, "hyper_parameters": settings}, path)
    assert read_checkpoint(path)["hyper_parameters"] == settings


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("runs/forecast/a/checkpoints/best.ckpt", "trajvq fit --config forecast"),
        ("runs/none/latest/checkpoints/best.ckpt", "trajvq fit"),
        ("a/best.ckpt", "trajvq fit"),
    ],
)
def test_a_missing_checkpoint_names_the_command_that_trains_one(path: str, command: str) -> None:
    with pytest.raises(UserError, match=f"there is no checkpoint {path}; train one with `{command}`"):
        read_checkpoint(path)
