"""Run a command of trajvq on a damaged file, in a process of its own, and judge how it ends."""

import argparse
import contextlib
import io
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from trajvq.cli import main

SECONDS = 60  # of processor time, after which the process is ended
MEMORY = 2 * 2**30  # bytes of real memory


def fault(command: Sequence[str], source: Path, out: Path) -> str:
    """Return what is wrong with the way a command ends; empty if it imports, or refuses in one line and leaves nothing.

    Args:
        command: Words after ``trajvq`` and before the file, such as ``data import-videos``.
        source: The file.
        out: The dataset that it would write.
    """
    before = {path.name for path in out.parent.iterdir()}
    with tempfile.TemporaryFile() as terminal:
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            os.dup2(terminal.fileno(), 2)
            with contextlib.redirect_stdout(io.StringIO()):
                code = main([*command, str(source), "--out", str(out)])
            sys.stderr.flush()
            os._exit(code)
        _, status, usage = os.wait4(child, 0)
        terminal.seek(0)
        printed = terminal.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    left = {path.name for path in out.parent.iterdir()} - before
    if usage.ru_maxrss * 1024 > MEMORY:
        return f"{usage.ru_maxrss / 2**20:.1f} GB of memory"
    if code == 0:
        return "" if left == {out.name} else f"imported, but left {sorted(left)}"
    if code != 2:
        return f"exit code {code}: {printed.strip()[-200:]}"
    if left:
        return f"refused, but left {sorted(left)}"
    return "" if printed.startswith("trajvq: ") and printed.count("\n") == 1 else f"printed {printed[-300:]!r}"


def run(command: Sequence[str], sources: Sequence[Path], out: Path, keep: Path | None = None) -> int:
    """Try a command on files, print one line for each fault and one for all, and return the number of faults.

    Args:
        command: As for `fault`.
        sources: The files.
        out: The dataset that each may write. It is removed after each trial.
        keep: Folder for copies of the files that made a fault; None to keep none.
    """
    faults, imported, start = 0, 0, time.perf_counter()
    for source in sources:
        problem = fault(command, source, out)
        faults += bool(problem)
        if problem:
            print(f"{source.name}: {problem}")
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / source.name).write_bytes(source.read_bytes())
        imported += out.exists()
        remove(out)
    seconds = time.perf_counter() - start
    print(f"{len(sources)} files: {imported} imported, {faults} faults, {seconds:.0f} s")
    return faults


def remove(folder: Path) -> None:
    """Remove a dataset, if there is one."""
    if folder.exists():
        for file in sorted(folder.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        folder.rmdir()


def run_script(text: str, command: Sequence[str], damaged: Callable[[int], tuple[str, bytes]]) -> int:
    """Try a command on as many files as the command line asks for; the exit code is 1 if there was a fault.

    Args:
        text: What ``--help`` says.
        command: As for `fault`.
        damaged: Returns the ending and the content of the file of a seed.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="number of files (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first file (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="folder for copies of the files that made a fault")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sources = []
        for seed in range(args.seed, args.seed + args.count):
            ending, content = damaged(seed)
            sources.append(Path(folder) / f"{seed}.{ending}")
            sources[-1].write_bytes(content)
        return int(run(command, sources, Path(folder) / "dataset", args.keep) > 0)
