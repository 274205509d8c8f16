"""The commands on the pages about tables run, on small files of each program's layout, and print what the pages say."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.imports.tables import deeplabcut, mot, rows, sleap, trackmate, trackpy, write
from tests.data.imports.test_sleap import analysis
from trajvq.cli import main
from trajvq.data.storage.manifest import read_manifest

DOCS = Path(__file__).parents[3] / "docs"
SOURCES: dict[str, Callable[[], Path]] = {
    "spots.csv": lambda: trackmate(Path("spots.csv")),
    "particles.csv": lambda: trackpy(Path("particles.csv")),
    "dlc.csv": lambda: deeplabcut(Path("dlc.csv"), 200),
    "sleap.csv": lambda: sleap(Path("sleap.csv"), 40),
    "sleap.h5": lambda: analysis(Path("sleap.h5")),
    "gt.txt": lambda: mot(Path("gt.txt"), truth=True),
    "boxes.txt": lambda: write(Path("boxes.txt"), "", "{1},{0},{2},{3}", rows()),
}


@pytest.mark.parametrize("page", ["particles", "keypoints", "boxes"])
def test_every_command_imports_and_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], page: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / f"tracks_of_{page}.md").read_text()
    commands = [shlex.split(line, comments=True)[1:] for line in re.findall(r"^trajvq .*", text, re.MULTILINE)]
    assert commands
    for words in commands:
        SOURCES[words[2]]()
        assert main([*words, "--size=16"]) == 0
        assert read_manifest(Path(words[words.index("--out") + 1])).clips("train") > 0
    printed = capsys.readouterr().out.splitlines()
    for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL):
        assert [line for line in block.splitlines() if line not in printed] == []
