"""A lock keeps other processes out, and ends with the process that holds it."""

import subprocess
import sys
from pathlib import Path

import pytest

from trajvq.errors import UserError
from trajvq.io.locks import LockedError, locked

HOLD = """
import sys
from pathlib import Path
from trajvq.io.locks import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_lock_keeps_other_processes_out_until_its_process_ends(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(LockedError, match=f"another process is writing to {folder}"), locked(folder, wait=False):
            pass
        with locked(folder, ".other", wait=False):
            pass
        other.kill()
    with locked(folder):
        pass


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write .*; try this"), locked(tmp_path / "file", remedy="try this"):
        pass
