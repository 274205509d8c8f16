"""The documentation is true: every command on a page parses, and every extension on docs/extend.md runs.

`make check` builds the site.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from tests.report.test_contents import check_equations
from trajvq import __version__
from trajvq.cli import main
from trajvq.commands.configs import find_config
from trajvq.commands.lightning_cli import TrajvqCLI
from trajvq.commands.parser import Parser
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.synthetic import plan
from trajvq.errors import UserError
from trajvq.tokens import load_tokenizer

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXTEND = "extend.md"  # its commands need files that the page shows; they are run, not only parsed
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md")) if path.name != EXTEND)]


def test_the_version_is_the_same_everywhere() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] in (__version__, "Unreleased")


class Block(NamedTuple):
    """A fenced code block.

    Attributes:
        language: Such as ``bash``; empty without one.
        title: Name of the file that the block shows; empty without one.
        text: The content.
    """

    language: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return the code blocks of a page's text."""
    fences = re.findall(r'^```(\w*)(?: title="(.*?)")?\n(.*?)^```', page, re.DOTALL | re.MULTILINE)
    return [Block(*fence) for fence in fences]


def commands(page: str) -> list[list[str]]:
    """Return the arguments of every ``trajvq`` command on a page; shell variables become plain words."""
    calls = []
    for block in blocks(page):
        if block.language not in ("", "bash"):
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.replace("...", "").strip().replace("$", ""), comments=True)
            if words[:1] in (["trajvq"], ["torchrun"]):
                calls.append(words[words.index("trajvq") + 1 :])
    return calls


def section(title: str) -> str:
    """Return one section of docs/extend.md."""
    parts = re.split(r"^## (.*)\n", (DOCS / EXTEND).read_text(), flags=re.MULTILINE)
    return parts[parts.index(title) + 1]


class Parsed(Exception):
    """Raised once a command's options are parsed, so that it goes no further."""


PARSERS: dict[str, Any] = {}  # of the training commands, built once: building one takes longer than parsing
CHECKED: set[tuple[str, ...]] = set()


@pytest.fixture
def parse_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make commands stop after parsing."""
    parse_args = Parser.parse_args

    def parse(self: Parser, args: list[str]) -> None:
        parse_args(self, args)
        raise Parsed

    def stop(self: TrajvqCLI) -> None:
        PARSERS[self.command[0]] = self.parser
        raise Parsed

    monkeypatch.setattr(plan, "import_plugins", lambda modules: None)  # the page shows them; they are not here
    monkeypatch.setattr(Parser, "parse_args", parse)
    monkeypatch.setattr(TrajvqCLI, "before_instantiate_classes", stop)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("parse_only", "here")
def test_every_command_of_a_page_parses(page: str) -> None:
    for words in commands((ROOT / page).read_text()):
        if tuple(words) in CHECKED or "--print_config" in words:
            continue
        CHECKED.add(tuple(words))
        arguments = [re.sub(r"^lr$|^seed$", "1", word) for word in words]
        if arguments[0] in PARSERS:
            pairs = zip(["", *arguments], arguments, strict=False)
            PARSERS[arguments[0]].parse_args(
                [find_config(word) if before == "--config" else word for before, word in pairs]
            )
        else:
            with pytest.raises(Parsed):
                main(arguments)


def test_the_motion_family_page_generates_verified_clips_that_are_judged(tmp_path: Path) -> None:
    page = blocks((DOCS / "add_a_family.md").read_text())
    family, check = [block.text for block in page if block.language == "python"]
    (tmp_path / "pendulum.py").write_text(family)
    calls = []
    for words in commands((DOCS / "add_a_family.md").read_text()):
        fewer = ["--workers=2", "--train=20", "--val=20", "--test=20", "--ood=5"] if "generate" in words else []
        calls.append(["-m", "trajvq.cli", *words, *fewer])
    output = ""
    for call in [*calls, ["-c", check]]:
        done = subprocess.run([sys.executable, *call], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        output += done.stdout
    folder = tmp_path / "datasets" / "five"
    assert read_manifest(folder).classes[4] == "pendulum"
    assert check_equations(folder, tmp_path / "datasets" / "five.jsonl") == 85
    assert "pendulum: 100%" in output


SHORT = [
    "--trainer.max_steps=2",
    "--trainer.val_check_interval=2",
    "--trainer.logger=false",
    "--data.batch_size=4",
]
RECON = ["--model.tokenizer.width=16", "--collapse.on_collapse=warn"]


def follow(title: str, dataset: Path, *fit_options: str) -> None:
    """Save the files of a section of docs/extend.md and run its commands on the small dataset, for a few steps."""
    page = section(title)
    for block in blocks(page):
        if block.title:
            Path(block.title).write_text(block.text)
    calls = commands(page)
    assert calls, f"the section {title!r} has no command"
    for words in calls:
        options = [f"--data.path={dataset}", *SHORT, *fit_options] if words[0] == "fit" else []
        assert main([*words, *options]) == 0, words


def test_a_quantizer_trains_and_tests(here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    follow("A quantizer", dataset, *RECON)
    assert "recon · test · 12 clips" in capsys.readouterr().out
    tokenizer: Any = load_tokenizer("runs/recon/signs/checkpoints/best.ckpt")
    video = torch.rand(2, 3, 8, 32, 32)
    assert torch.equal(tokenizer(video), tokenizer.decode(tokenizer.encode(video)))


def test_a_loss_trains(here: Path, dataset: Path) -> None:
    follow("A loss", dataset, *RECON)
    assert "object_factor: 20" in Path("runs/recon/charbonnier/config.yaml").read_text()


def test_a_tokenizer_trains_and_tests(here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    follow("A tokenizer", dataset)
    assert "recon · test · 12 clips" in capsys.readouterr().out


def test_a_figure_is_computed_and_reported(here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    follow("A metric", dataset, *RECON)
    assert "flicker" in capsys.readouterr().out
    assert "change of the background between frames" in Path("report.html").read_text()


def test_a_token_model_trains_and_samples(here: Path, dataset: Path, tokenizer: Path) -> None:
    follow("A token model", dataset, f"--model.tokenizer_ckpt={tokenizer}")
    assert read_manifest(Path("samples")).clips("train") == 4


def test_a_task_trains_tests_and_reports(
    here: Path, dataset: Path, tokenizer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    follow("A task", dataset, f"--model.tokenizer_ckpt={tokenizer}")
    assert "moves_right · test · 12 clips" in capsys.readouterr().out
    assert "moves_right" in Path("report.html").read_text()


def test_the_datasets_page_reads_clips(here: Path, dataset: Path) -> None:
    Path("datasets").mkdir()
    Path("datasets/default").symlink_to(dataset)
    names: dict[str, Any] = {}
    exec(next(block.text for block in blocks((DOCS / "data.md").read_text()) if block.language == "python"), names)
    assert names["batch"]["video"].shape == (3, 8, 3, 32, 32)


def test_a_missing_config_is_named() -> None:
    with pytest.raises(UserError, match="there is no config"):
        find_config("configs/nothing.yaml")
