"""What the scripts of experiments share: run a command of trajvq, and put a table into a README."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def trajvq(*words: str, log: Path | None = None) -> None:
    """Run a command.

    Args:
        words: The command line after ``trajvq``.
        log: The command and its output are appended to this file; None to print the output.

    Raises:
        SystemExit: If the command fails.
    """
    print("$ trajvq", *words, flush=True)
    command = [sys.executable, "-m", "trajvq", *words]
    if log is None:
        code, where = subprocess.run(command, check=False).returncode, "the same command continues"
    else:
        with log.open("a", encoding="utf-8") as out:
            print("$ trajvq", *words, file=out, flush=True)
            code = subprocess.run(command, check=False, stdout=out, stderr=out).returncode
        where = f"see the end of {log}"
    if code:
        raise SystemExit(f"trajvq {words[0]} ended with exit code {code}; {where}")


def replace_between(readme: Path, begin: str, end: str, lines: Sequence[str]) -> None:
    """Rewrite what stands between two markers of a README.

    Raises:
        ValueError: If there are no markers.
    """
    text = readme.read_text(encoding="utf-8")
    content = "\n\n".join(filter(None, (begin, "\n".join(lines).strip("\n"), end)))
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{readme} has no {begin} ... {end}")
    readme.write_text(pattern.sub(lambda _: content, text), encoding="utf-8")
