"""Damaged files are imported or refused in one line; the script that tries this notices when they are not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts import EXPERIMENTS, load


def test_damaged_containers_make_no_fault() -> None:
    script = [sys.executable, str(EXPERIMENTS / "fuzz" / "containers.py"), "--count=4", "--seed=40"]
    environment = {**os.environ, "PYTHONPATH": str(EXPERIMENTS.parent)}
    result = subprocess.run(script, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 files: " in result.stdout
    assert ", 0 faults, " in result.stdout


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("raise ValueError('broken')", "exit code 1: "),
        ("Path(out).with_name('.part').mkdir(); raise DataError('no')", "refused, but left ['.part']"),
        ("raise DataError('one')", ""),
        ("print('two', file=sys.stderr); raise DataError('lines')", "printed 'two"),
    ],
)
def test_faults_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, problem: str) -> None:
    trial = load("fuzz/trial.py", monkeypatch)
    (tmp_path / "script.py").write_text(
        "import sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\n"
        "import trial\nfrom trajvq.errors import DataError\n"
        f"def main(words):\n    out = words[-1]\n    try:\n        {body}\n"
        "    except DataError as error:\n        print(f'trajvq: {error}', file=sys.stderr)\n        return 2\n"
        "trial.main = main\n"
        "print(trial.fault(['x'], Path('y'), Path(sys.argv[2]) / 'out'), end='')\n"
    )
    (tmp_path / "folder").mkdir()
    script = [
        sys.executable,
        str(tmp_path / "script.py"),
        str(Path(trial.__file__ or "").parent),
        str(tmp_path / "folder"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(EXPERIMENTS.parent)}
    said = subprocess.run(script, capture_output=True, text=True, check=True, env=environment).stdout
    assert said.startswith(problem)
    assert bool(said) == bool(problem)
