"""The code in the docs runs as it stands there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.report.test_contents import check_equations
from trajvq.data.store import read_manifest

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


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
