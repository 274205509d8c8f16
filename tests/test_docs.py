"""What the docs say is so: commands parse or run as they stand there, and code runs. `make check` builds the site."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.report.test_contents import check_equations
from trajvq.cli import main
from trajvq.commands.configs import find_config
from trajvq.commands.fit import VERBS, TrajvqCLI
from trajvq.commands.parser import Parser
from trajvq.data.storage.shards import read_manifest
from trajvq.errors import UserError

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OWN = {"mine.yaml", "mytask.yaml"}  # configs that a page shows; see below
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md")))]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """Return the words of every ``trajvq`` command of a page; shell variables count as one."""
    found = []
    for language, block in re.findall(r"```(\w*)\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
        if language not in ("", "bash"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.replace("...", "").strip().replace("$", ""), comments=True)
            if "trajvq" in words[:1] or words[:1] == ["torchrun"]:
                found.append(words[words.index("trajvq") + 1 :])
    return found


class Parsed(Exception):
    """A command's options are all there are."""


PARSERS: list[Any] = []  # of the training commands, made once: that takes longer than to parse
SEEN: set[tuple[str, ...]] = set()


@pytest.fixture
def parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands parse their words and go no further."""
    whole = Parser.parse_args

    def parse(self: Parser, args: list[str]) -> None:
        whole(self, args)
        raise Parsed

    def stop(self: TrajvqCLI) -> None:
        PARSERS.append(self.parser)
        raise Parsed

    monkeypatch.setattr(Parser, "parse_args", parse)
    monkeypatch.setattr(TrajvqCLI, "before_instantiate_classes", stop)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("parsing", "here")
def test_every_command_of_a_page_parses(page: str) -> None:
    for words in commands(page):
        if OWN & set(words) or tuple(words) in SEEN:
            continue
        SEEN.add(tuple(words))
        given = [re.sub(r"^lr$|^seed$", "1", word) for word in words]
        if PARSERS and given[0] in VERBS:
            before = ["", *given]
            PARSERS[0].parse_args(
                [find_config(w) if b == "--config" else w for b, w in zip(before, given, strict=False)]
            )
        else:
            with pytest.raises(Parsed):
                main(given)


def test_a_family_of_ones_own_is_one_class_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "pendulum.py").write_text(blocks("add_a_family.md", "python")[0])
    for line in blocks("add_a_family.md", "bash")[0].splitlines():
        command = [sys.executable, "-m", "trajvq.cli", *shlex.split(line)[1:]]
        workers = ["--workers=2"] if "generate" in line else []
        done = subprocess.run([*command, *workers], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "datasets" / "five"
    manifest = read_manifest(folder)
    assert manifest.classes[4] == "pendulum"
    assert check_equations(folder, tmp_path / "datasets" / "five.jsonl") == 580


SHORT = ["--trainer.max_steps=4", "--trainer.val_check_interval=2", "--trainer.logger=false", "--data.batch_size=4"]


def follow(page: str, name: str, dataset: Path, *extra: str) -> None:
    """Save a page's Python and YAML and run its commands on the small dataset, few steps long."""
    Path(f"{name}.py").write_text(blocks(page, "python")[0])
    config = "mine.yaml" if name == "mynet" else f"{name}.yaml"
    Path(config).write_text(blocks(page, "yaml")[0])
    for words in commands(f"docs/{page}"):
        if config in words or words[0] == "report":
            more = {"fit": [*SHORT, *extra], "test": list(extra)}.get(words[0])
            given = words if more is None else [*words, f"--data.path={dataset}", *more]
            assert main(given) == 0, words


def test_a_tokenizer_of_ones_own_trains_and_tests(
    here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    follow("own_tokenizer.md", "mynet", dataset)
    assert "recon · test · 12 clips" in capsys.readouterr().out


def test_a_task_of_ones_own_trains_tests_and_reports(
    here: Path, dataset: Path, tokenizer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    follow("own_task.md", "mytask", dataset, f"--model.tokenizer_ckpt={tokenizer}")
    assert "moves_right · test · 12 clips" in capsys.readouterr().out
    assert "moves_right" in (here / "report.html").read_text()


def test_a_missing_config_is_said() -> None:
    with pytest.raises(UserError, match="there is no config"):
        find_config("configs/nothing.yaml")
