"""The shelf trains what has no cell, keeps what a scoreboard has, and goes on after a failure and a collapse."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SIZES
from tests.scripts import EXPERIMENTS, load
from trajvq.cli import main
from trajvq.data.storage.clips import Clips

TOY = ["--name=toy", "--steps=4", "--set=model.tokenizer.width=16", "--set=data.batch_size=4"]
MARKERS = "before\n<!-- table -->\n<!-- end of table -->\nafter\n"
Shelf = Callable[..., list[str]]


@pytest.fixture
def script(here: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The command, with cells, pictures and README in the folder `here`."""
    module = load("shelf/shelf.py", monkeypatch)
    for name in ("cells", "pictures"):
        monkeypatch.setattr(module, name.upper(), here / name)
    monkeypatch.setattr(module, "README", here / "README.md")
    (here / "README.md").write_text(MARKERS)
    return module


@pytest.fixture
def shelf(script: ModuleType, dataset: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Run the command on a toy preset and a folder of clips; return the verbs of the commands that it ran."""
    shutil.copytree(dataset, here / "datasets/default")
    clips = here / "clips"
    clips.mkdir()
    video = Clips(dataset, "train").batch(list(range(SIZES["train"])))["video"].numpy()
    np.savez(clips / "mine.npz", videos=video)
    (clips / "broken.npz").write_bytes(b"nothing")
    (clips / "README.md").write_text("licences")
    monkeypatch.setenv("TRAJVQ_CLIPS", str(clips))
    verbs: list[str] = []

    def trajvq(*words: str, log: Path) -> None:
        verbs.append(words[0])
        code = main([*words, *(["--trainer.logger=false"] if words[0] == "fit" else [])])
        if code:
            raise script.CommandError("trajvq: the reason", code)

    def run(*arguments: str) -> list[str]:
        verbs.clear()
        monkeypatch.setattr(sys, "argv", ["shelf.py", *arguments])
        script.main()
        return list(verbs)

    monkeypatch.setattr(script, "trajvq", trajvq)
    return run


def cells(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "cells").glob("*.json"))]


def test_a_set_is_imported_trained_and_tested_once_and_stands_in_the_table(shelf: Shelf, here: Path) -> None:
    chosen = ["--sets", "default", "mine.npz"]
    warn = "--set=collapse.on_collapse=warn"
    assert shelf(*chosen, *TOY, warn) == ["fit", "test", "data", "fit", "test"]
    assert shelf(*chosen, *TOY, warn) == []
    (here / "cells/mine.npz-4-0-toy.json").unlink()
    assert shelf(*chosen, *TOY, warn) == []  # the run is there
    default, mine = cells(here)
    assert (default["set"], mine["set"], mine["steps"], mine["collapse"]) == ("default", "mine.npz", 4, "")
    assert default["best_trivial"] == "mean_frame"
    board = json.loads((here / "runs/shelf/default-4-0-toy/scoreboards/test.json").read_text())
    row = board["rows"]["model"]
    assert default["rows"]["model"]["visible"] == pytest.approx(row["visible"]["value"], rel=1e-5)
    assert default["seconds"] >= 0
    assert {"commit", "machine", "day", "dataset"} <= default.keys()
    assert str(here) not in json.dumps(default)
    text = (here / "README.md").read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| default, toy | 4 | 0 |" in text
    assert "H.264" in text
    with pytest.raises(SystemExit, match="has other settings; choose another --name"):
        shelf(*chosen, *TOY)
    with pytest.raises(SystemExit):
        shelf(*chosen, "--steps=4", "--set=data.batch_size=4")  # an ablation without a name


def test_a_failure_is_no_cell_and_a_collapse_is_one(shelf: Shelf, here: Path) -> None:
    with pytest.raises(SystemExit, match=r"without a cell:\nbroken.npz, seed 0: trajvq: the reason"):
        shelf("--sets", "broken.npz", "default", *TOY, "--set=collapse.patience=1")
    (default,) = cells(here)
    assert default["collapse"] == "trajvq: the reason"
    assert "rows" in default
    assert "| default, toy, **collapsed** |" in (here / "README.md").read_text()
    picture = np.asarray(Image.open(here / "pictures/default-4-0-toy.png"))
    assert picture.shape[1] == 8 * (128 + 2)  # 8 frames of 32 pixels, enlarged fourfold
    (here / "cells/default-4-0-toy.json").unlink()
    assert shelf("--sets", "default", *TOY, "--set=collapse.patience=1") == []  # nor does it go on from there
    assert cells(here) == [default]


def test_steps_fit_the_budget(script: ModuleType, here: Path) -> None:
    (here / "rates.json").write_text(json.dumps({"default": {"start": 8.0, "step": 0.1, "validation": 5.0}}))
    steps: Callable[..., int] = script.Study(here, minutes=10).fitting_steps
    clips = script.ClipSet("default", here)
    assert steps(clips, here / "log") == 5700  # (600 s - 8 s - 4 x 5 s) / 0.1 s, in hundreds
    assert steps(script.ClipSet("default", here, overlay="data/default"), here / "log") == 11_700


def test_the_speed_is_measured_in_short_runs(script: ModuleType, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Sequence[str]] = []

    def trajvq(*words: str, log: Path) -> None:
        calls.append(words)
        run = here / "debug/probe"
        run.mkdir(parents=True)
        for name, time in (("provenance.json", 104.0), ("complete.json", 110.0 + 3 * len(calls))):
            (run / name).touch()
            script.os.utime(run / name, (time, time))

    monkeypatch.setattr(script, "trajvq", trajvq)
    monkeypatch.setattr(script.time, "time", lambda: 100.0)
    study = script.Study(here, minutes=2)
    assert study.fitting_steps(script.ClipSet("x", here), here / "log") == 600  # (120 - 4 - 4 x 3) / 0.15, in hundreds
    assert "--trainer.limit_val_batches=0" in calls[0]
    assert "--trainer.limit_val_batches=0" not in calls[1]
    study.fitting_steps(script.ClipSet("x", here), here / "log")
    assert len(calls) == 2


def test_seeds_are_one_line_with_their_range_and_rows_beside_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load("shelf/table.py", monkeypatch)
    (here / "pictures").mkdir()
    (here / "pictures/flies.mp4-1000-1.png").touch()
    common = {"set": "flies.mp4", "name": "", "steps": 1000, "collapse": "", "best_trivial": "blank", "seconds": 120}
    common |= {"commit": "abc", "machine": "two cores", "day": "2026-01-01"}
    made_up = []
    for seed, skill in enumerate((-0.5, 0.25), 1):
        rows = {"blank": {"psnr": 20.0}, "h264": {"bits": 2500.0}, "model": {"skill": skill, "bits": 2551.0}}
        made_up.append({**common, "seed": seed, "rows": rows})
    (here / "README.md").write_text(MARKERS)
    script.write_table(made_up, here / "README.md", here / "pictures")
    text = (here / "README.md").read_text()
    line = "| flies.mp4 | 1,000 | 1, 2 | −0.125<br>−0.500 to 0.250 | 2,551 | 20.0 | 2,500 | 2.0 | abc |"
    assert line in text
    assert "moving PSNR" not in text
    assert "](pictures/flies.mp4-1000-1.png)" in text
    assert "Measured on two cores (2026-01-01)." in text


def test_the_committed_table_is_that_of_the_committed_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    script, folder = load("shelf/table.py", monkeypatch), EXPERIMENTS / "shelf"
    lines, stored = (folder / "README.md").read_text().splitlines(), script.read_cells(folder / "cells")
    assert [line for line in script.table(stored) if line not in lines] == [] or not stored


def test_a_command_that_fails_ends_with_its_last_line(script: ModuleType, here: Path) -> None:
    with pytest.raises(script.CommandError, match=r"trajvq: .*nothing.npz does not exist \(exit code 2\)"):
        script.trajvq("data", "import-videos", "nothing.npz", "--out=x", log=here / "log")
