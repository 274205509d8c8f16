"""Generation keeps finished shards after a crash or an interrupt, and the completed dataset is the same."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from trajvq.cli import main
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.synthetic import plan, workers
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.plan import Plan, Shard
from trajvq.data.synthetic.presets import OOD
from trajvq.data.synthetic.workers import make_shard
from trajvq.errors import DataError
from trajvq.io.locks import LockedError

NONE = dict.fromkeys(OOD, 0)
SIZES = NONE | {"train": 20, "val": 6, "test": 6}
SMALL: dict[str, Any] = {"frames": 4, "size": 32}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SHARD", 4)


def hashes(folder: Path) -> dict[str, str]:
    return {entry["file"]: entry["sha256"] for of in read_manifest(folder).splits.values() for entry in of}


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, str]:
    generate(tmp_path / "whole", SIZES, **SMALL)
    return hashes(tmp_path / "whole")


@pytest.mark.parametrize("count", [2, 3])
def test_the_number_of_workers_changes_no_byte(tmp_path: Path, whole: dict[str, str], count: int) -> None:
    generate(tmp_path / "many", SIZES, workers=count, **SMALL)
    assert hashes(tmp_path / "many") == whole
    assert (tmp_path / "many" / "manifest.json").read_bytes() == (tmp_path / "whole" / "manifest.json").read_bytes()


def stop_after(monkeypatch: pytest.MonkeyPatch, shards: int, error: BaseException) -> None:
    finished: list[Shard] = []

    def stopping(out: Path, of: Plan, shard: Shard) -> dict[str, Any]:
        if len(finished) == shards:
            raise error
        finished.append(shard)
        return make_shard(out, of, shard)

    monkeypatch.setattr(workers, "make_shard", stopping)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), r"stopped; 3 of 9 shards are kept in .*; run the same command to continue"),
        (OSError(28, "No space left on device"), r"No space left on device; 3 of 9 shards are kept"),
    ],
)
def test_finished_shards_are_kept_and_the_same_call_continues(
    tmp_path: Path, whole: dict[str, str], error: BaseException, words: str
) -> None:
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 3, error)
        with pytest.raises(DataError, match=words):
            generate(out, SIZES, **SMALL)
    progress = json.loads((out / "progress.json").read_text())
    assert progress["finished"] == 12
    assert "12 of 32 clips" in progress["line"]
    assert len(list(out.glob("*.h5"))) == 3
    assert not list(out.glob(".*"))
    with pytest.raises(DataError, match="12 of 32 clips"):
        read_manifest(out)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.h5")}
    generate(out, SIZES, **SMALL)
    assert hashes(out) == whole
    assert all((out / name).stat().st_mtime_ns == then for name, then in before.items())


def test_a_finished_dataset_is_not_generated_again(tmp_path: Path, whole: dict[str, str]) -> None:
    out = tmp_path / "whole"
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    generate(out, SIZES, **SMALL)
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    (out / "train-00001.h5").write_bytes(b"damaged")
    generate(out, SIZES, **SMALL)
    assert hashes(out) == whole


@pytest.mark.parametrize(
    ("other", "words"), [({"seed": 1}, "seed 0"), ({"preset": "hard"}, "preset default"), ({"size": 48}, "size 32")]
)
def test_another_plan_in_the_same_folder_is_refused(tmp_path: Path, other: dict[str, Any], words: str) -> None:
    out = tmp_path / "out"
    generate(out, SIZES, **SMALL)
    with pytest.raises(DataError, match=f"{words}.*--force"):
        generate(out, SIZES, **(SMALL | other))
    (out / "notes.txt").write_text("mine")
    manifest = generate(out, SIZES, force=True, **(SMALL | other))
    assert manifest.sha256 == generate(tmp_path / "fresh", SIZES, **(SMALL | other)).sha256
    assert (out / "notes.txt").read_text() == "mine"


def test_a_refused_plan_does_not_harm_an_unfinished_dataset(tmp_path: Path, whole: dict[str, str]) -> None:
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 3, KeyboardInterrupt())
        with pytest.raises(DataError, match="stopped"):
            generate(out, SIZES, **SMALL)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(DataError, match="seed 0"):
        generate(out, SIZES, seed=1, **SMALL)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    generate(out, SIZES, **SMALL)
    assert hashes(out) == whole


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    inner: list[str] = []

    def generate_again(*_: object) -> dict[str, Any]:
        with pytest.raises(LockedError, match="another process"):
            generate(out, SIZES, **SMALL)
        inner.append("refused")
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "make_shard", generate_again)
        with pytest.raises(DataError, match="stopped"):
            generate(out, SIZES, **SMALL)
    assert inner == ["refused"]
    assert not out.exists()


def command(out: Path, *extra: str) -> list[str]:
    sizes = [f"--{split}={count}" for split, count in (("train", 4000), ("val", 1000), ("test", 1000), ("ood", 0))]
    return [sys.executable, "-m", "trajvq.cli", "data", "generate", f"--out={out}", "--size=32", *sizes, *extra]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    subprocess.run(command(out), check=True, capture_output=True)
    return hashes(out)


def wait_for_files(out: Path, count: int, run: subprocess.Popen[bytes]) -> None:
    """Wait until a generation has so many files in its folder, partial ones included, or has ended."""
    ends = time.monotonic() + 60
    while run.poll() is None and (not out.exists() or len(list(out.iterdir())) < count):
        assert time.monotonic() < ends
        with suppress(subprocess.TimeoutExpired):
            run.wait(0.005)


def test_a_generation_killed_again_and_again_continues(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    out = tmp_path / "out"
    for count in (1, 3, 5, 7):
        with subprocess.Popen(command(out, "--workers=2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            wait_for_files(out, count, run)
            run.kill()
    subprocess.run(command(out, "--workers=2"), check=True, capture_output=True)
    assert hashes(out) == undisturbed
    assert {path.name for path in out.iterdir()} == {*undisturbed, "manifest.json", "progress.json"}


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_one_line(tmp_path: Path, undisturbed: dict[str, str], sign: signal.Signals) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        command(out, "--workers=2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as run:
        wait_for_files(out, 4, run)
        os.killpg(run.pid, sign)  # to all processes at once, as a terminal or a scheduler sends it
        _, error = run.communicate(timeout=60)
    assert run.returncode == 130, error
    assert error.count(b"\n") == 1
    assert b"run the same command to continue" in error
    assert not list(out.glob(".*"))
    subprocess.run(command(out), check=True, capture_output=True)
    assert hashes(out) == undisturbed


def test_settings_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for extra, words in (
        (["--workers=0"], "0 workers"),
        (["--train=-1"], "-1 clips"),
        (["--preset=bench-v1", "--seed=3"], "frozen"),
        (["--plugin=no_such_module"], "cannot be imported"),
        (["--preset=nope"], "unknown preset"),
    ):
        assert main(["data", "generate", "--out", str(tmp_path / "out"), *extra]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
        assert not list(tmp_path.iterdir())
