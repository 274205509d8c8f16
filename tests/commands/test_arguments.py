"""Arguments of a command: shipped configs by name, and nulls for options of a class within a class."""

from pathlib import Path

import pytest
import torch

from tests.conftest import Run
from trajvq.commands.arguments import resolved
from trajvq.errors import UserError


def test_configs_are_resolved_by_name_and_other_arguments_stay() -> None:
    words = ["fit", "--config=recon", "--config", "rates/640", "--model.network.keep", "24", "--data.path", "null"]
    arguments = resolved(words)
    assert [Path(arguments[k]).name for k in (2, 4)] == ["recon.yaml", "640.yaml"]
    assert (arguments[1], arguments[3]) == ("--config", "--config")
    assert arguments[5:] == words[4:]
    assert resolved(["fit", "--help_all"]) == ["fit", "--help"]
    with pytest.raises(UserError, match="did you mean recon"):
        resolved(["fit", "--config", "recn"])


@pytest.mark.parametrize("content", ["", "# max_steps: 3\n", "---\n"])
def test_an_empty_config_is_left_out(here: Path, content: str) -> None:
    Path("more.yaml").write_text(content, encoding="utf-8")
    assert resolved(["fit", "--config=more.yaml", "--run=a"]) == ["fit", "--run=a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# café".encode("latin-1"), "config more.yaml is not UTF-8; save it as UTF-8"),
        (b"PK\x03\x04\xff\xfe", "config more.yaml is not UTF-8"),
        (b"trainer:\n\tmax_steps: 1", "config more.yaml, line 2 is not YAML: found character '\\\\t'"),
        (b"a: \x07", "config more.yaml is not YAML: unacceptable character"),
        (b"- trainer", "config more.yaml has no keys"),
        (b"trainer:\n", "config more.yaml has no values under `trainer:`"),
        (b"seed_everything: 3\ntrainer:\n  # max_steps: 3\n", "config more.yaml has no values under `trainer:`"),
        (b"ema:", "config more.yaml has no values under `ema:`"),
    ],
)
def test_a_config_that_cannot_be_read_is_named(here: Path, content: bytes, message: str) -> None:
    Path("more.yaml").write_bytes(content)
    with pytest.raises(UserError, match=message):
        resolved(["fit", "--config", "more.yaml"])


@pytest.mark.parametrize("words", [["--model.tokenizer.digits=null"], ["--model.tokenizer.init_args.digits", "null"]])
def test_a_null_reaches_a_class_within_a_class(fit: Run, here: Path, words: list[str]) -> None:
    assert fit("--run=a", "--trainer.max_steps=1", "--model.tokenizer.digits=[2,2]", *words) == 0
    settings = torch.load(here / "runs/recon/a/checkpoints/last.ckpt", weights_only=True)["hyper_parameters"]
    assert settings["tokenizer"]["init_args"]["digits"] is None
    assert settings["tokenizer"]["init_args"]["width"] == 16  # the others stay
