"""The outer command: help at once, one line for mistakes."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toy_runs import options
from trajvq.cli import main
from trajvq.commands import chart


def test_help_and_data_start_without_torch_or_lightning() -> None:
    code = (
        "import sys; from trajvq.cli import main; main(['--help'])\n"
        "try: main(['data', '--help'])\n"
        "except SystemExit: pass\n"
        "main(['fit', '--help'])\n"
        "print([m for m in ('torch', 'lightning') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"
    assert "generate" in output
    assert "fit" in output
    assert "  classify         " in output
    assert "--seed_everything" in output


def test_an_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 2
    assert capsys.readouterr().err == "trajvq: unknown command 'train'; see `trajvq --help`\n"


def test_a_plugin_is_imported_by_every_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "own.py").write_text("print('imported')")
    assert main(["report", "nowhere", "--plugin", "own", "--out", "a.html"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "imported\n"
    assert "nowhere" in captured.err
    assert main(["data", "verify", "nowhere", "--plugin", "own"]) == 1
    assert "unrecognized" not in capsys.readouterr().err
    assert main(["tokenize", "--plugin=missing", "nowhere", "--out", "a.h5"]) == 2
    assert "plugin 'missing' cannot be imported" in capsys.readouterr().err


def test_data_generate_prints_its_clips(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["data", "generate", "--out", "d", "--train", "8", "--val", "4", "--test", "0", "--ood", "4"]
    assert main([*arguments, "--frames", "4", "--size", "32", "--seed", "5"]) == 0
    output = capsys.readouterr().out
    assert "train 8, val 4, ood_speed 4" in output
    assert main([*arguments]) == 2
    assert "holds clips of seed 5" in capsys.readouterr().err


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_file_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    def fail(arguments: object) -> int:
        raise OSError(code, os.strerror(code), "there/x.png")

    monkeypatch.setattr(chart, "main", fail)
    assert main(["chart"]) == 2
    reason = f"cannot write there/x.png: {os.strerror(code)}; name another file or folder"
    assert capsys.readouterr().err == f"trajvq: {reason}\n"


def test_a_terminal_without_our_letters_is_no_error(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "trajvq", "train-größe"]
    ended = subprocess.run(command, capture_output=True, env=environment, cwd=tmp_path, check=False)
    assert ended.returncode == 2
    assert ended.stderr == b"trajvq: unknown command 'train-gr??e'; see `trajvq --help`\n"


def test_a_file_whose_name_is_no_text_is_named(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.csv"
    command = [os.fsencode(sys.executable), b"-m", b"trajvq", b"data", b"import-tracks", name, b"--out", b"out"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    ended = subprocess.run(command, capture_output=True, env=environment, cwd=tmp_path, check=False)
    assert ended.returncode == 2
    assert b"caf?.csv does not exist" in ended.stderr
    assert b"Traceback" not in ended.stderr


SIGNAL = """
import os, signal
import lightning as L

class Send(L.Callback):
    def __init__(self, number: int) -> None:
        self.number = number

    def on_test_batch_start(self, *_) -> None:
        os.kill(os.getpid(), self.number)
"""


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_outside_training_ends_a_command_at_once(
    number: signal.Signals, here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "send.py").write_text(SIGNAL)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    send = ["--trainer.callbacks+=send.Send", f"--trainer.callbacks.number={int(number)}"]
    assert main(["test", *options("recon", dataset), *send]) == 128 + number
    assert capsys.readouterr().err.splitlines()[-1] == "trajvq: stopped; the same command starts again"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_interrupted_command_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(chart, "main", interrupt)
    assert main(["chart"]) == 128 + signal.SIGINT
    assert capsys.readouterr().err == "trajvq: stopped; the same command starts again\n"


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "trajvq", "--help"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")
