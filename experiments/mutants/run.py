"""Take the guards of metrics and tasks out, one at a time, and see whether a test fails.

    python experiments/mutants/run.py                       # all; 20 to 40 minutes on one core
    python experiments/mutants/run.py --only frozen blank   # mutants whose names contain one of these words
    python experiments/mutants/run.py --list

Each mutant replaces one string of one file in a temporary copy of the tree, where the tests that it names run. A
mutant is ``killed`` if one of them fails. It ``survived`` if all pass: then its guard is not tested, and the exit code
is 1. Before the mutants all of these tests run on the unchanged copy, where they must pass.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("trajvq", "tests", "configs", "experiments", "docs", "notebooks", "pyproject.toml", "README.md", "Makefile")
PASSED, FAILED = 0, 1  # exit codes of pytest; any other one means that the tests did not run


@dataclass(frozen=True)
class Mutant:
    """A change that a test must notice.

    Attributes:
        name: What cheats, in a few words.
        file: Relative to the root of the project.
        old: What the file holds exactly once.
        new: What replaces it.
        tests: Arguments of pytest: files, or ``FILE::TEST``.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> str:
        """Change the file below a root and return its text before.

        Raises:
            ValueError: If the file does not hold ``old`` exactly once.
        """
        path = root / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(
                f"mutant {self.name!r}: {self.file} holds its old text {text.count(self.old)} times, not once"
            )
        path.write_text(text.replace(self.old, self.new))
        return text


def read_mutants(folder: Path = Path(__file__).parent) -> list[Mutant]:
    """Return the mutants of all TOML files of a folder."""
    entries = [entry for path in sorted(folder.glob("*.toml")) for entry in tomllib.loads(path.read_text())["mutant"]]
    return [Mutant(**entry | {"tests": tuple(entry["tests"])}) for entry in entries]


def copy_tree(target: Path) -> None:
    """Copy what the tests need."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".ipynb_checkpoints")
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            shutil.copy2(source, target / name)


def run_tests(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run some tests of the tree below a root; return the exit code of pytest and its last lines."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *tests]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, "\n".join(done.stdout.splitlines()[-15:] + done.stderr.splitlines()[-5:])


def main() -> int:
    """Run the mutants and print a line for each; return 1 if one survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="mutants whose names contain a word")
    parser.add_argument("--list", action="store_true", help="print the mutants and their tests")
    args = parser.parse_args()
    mutants = [mutant for mutant in read_mutants() if any(word in mutant.name for word in args.only)]
    if args.list:
        for mutant in mutants:
            print(f"{mutant.name}: {mutant.file}\n    " + "\n    ".join(mutant.tests))
        return 0
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(folder)
        copy_tree(root)
        tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
        code, output = run_tests(root, tests)
        if code != PASSED:
            raise SystemExit(f"the tests do not pass without any mutant (exit code {code}):\n{output}")
        for mutant in mutants:
            text = mutant.apply(root)
            code, output = run_tests(root, mutant.tests)
            (root / mutant.file).write_text(text)
            if code not in (PASSED, FAILED):
                raise SystemExit(f"the tests of {mutant.name!r} did not run (exit code {code}):\n{output}")
            outcomes.append(code == FAILED)
            print(f"{'killed  ' if outcomes[-1] else 'SURVIVED'}  {mutant.name}  ({mutant.file})", flush=True)
    print(f"{sum(outcomes)} of {len(outcomes)} killed")
    return int(not all(outcomes))


if __name__ == "__main__":
    sys.exit(main())
