"""The report shows what the run folder holds, in a browser too, and needs nothing else."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajvq.cli import main
from trajvq.metrics.details import ClipDetails, clips_to_show
from trajvq.report.boards import merge
from trajvq.report.breakdown import by_place, groups
from trajvq.report.runs import RunRecord, read_run

CLASSES = ["linear", "circular"]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def details(shift: float = 0.0) -> ClipDetails:
    """Eight clips of a square that moves by a pixel a frame; errors rise with the number of the clip."""
    target = np.full((3, 4, 3, 16, 24), 255, dtype=np.uint8)
    for k in range(4):
        target[:, k, :2, 4:8, 4 + 4 * k : 8 + 4 * k] = 0
    error = np.arange(32.0).reshape(8, 4) / 10 + shift
    error[0, 1] = np.nan
    held = ClipDetails(
        np.arange(8),
        {"centroid_error": error, "mse": np.arange(8.0)},
        {"label": np.arange(8) % 2, "speed": np.arange(8.0), "x": np.full((8, 4), 3.0), "y": np.full((8, 4), 15.0)},
        clips={"target": target, "reconstruction": np.roll(target, 1, axis=-1)},
        paths={"truth": np.zeros((3, 4, 2)) + 8, "guesses": np.random.default_rng(0).uniform(2, 14, (3, 5, 4, 2))},
        counts={"all": np.arange(9), "object": np.arange(9) // 4},
        classes=CLASSES,
    )
    held.shown = clips_to_show(held.by_clip("centroid_error"), 2, 1)
    return held


def make_run(folder: Path, skill: float = 0.9, shift: float = 0.0) -> Path:
    """A run folder as `fit` and `test` leave one."""
    (folder / "scoreboards").mkdir(parents=True)
    confusion = [[3, 1, 0], [0, 4, 0]]
    model = {
        "skill": skill,
        "visible": {"value": 1.0, "low": 0.97, "high": 1.0},
        "mse": 0.0021,
        "bits": 2551.2,
        "per_class": dict.fromkeys(CLASSES, 0.5),
        "confusion": confusion,
        "horizon": [0.1, 0.2, 0.5],
    }
    rows = {"blank": {"skill": 0.0, "visible": {"value": 0.0, "low": 0.0, "high": 0.1}, "mse": 0.0014}, "model": model}
    board = {"task": "recon", "split": "test", "clips": 8, "truth": "stored", "checkpoint": "a<b>.ckpt", "rows": rows}
    (folder / "scoreboards/test.json").write_text(json.dumps(board))
    details(shift).save(folder / "scoreboards/test.npz")
    (folder / "metrics.csv").write_text("epoch,step,train/loss,val/skill\n0,1,0.5,\n0,2,0.25,0.4\n0,4,,0.8\n")
    (folder / "config.yaml").write_text("model: {}\n")
    command = {"command": "trajvq fit --x '<y>'", "started": "now", "versions": {"torch": "2"}}
    (folder / "provenance.json").write_text(json.dumps({"commands": [command]}))
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of one run, made once."""
    folder = tmp_path_factory.mktemp("report")
    assert main(["report", str(make_run(folder / "runs/recon/a")), "--out", str(folder / "r.html")]) == 0
    return folder / "r.html"


def test_details_come_back_and_the_worst_are_shown(tmp_path: Path) -> None:
    held = details()
    assert held.shown.tolist() == [7, 6, 0]
    held.save(tmp_path / "a.npz")
    again = ClipDetails.load(tmp_path / "a.npz")
    assert again.classes == CLASSES
    assert list(again.figures) == ["centroid_error", "mse"]
    for group in ("figures", "facts", "clips", "paths", "counts"):
        for name, value in getattr(held, group).items():
            np.testing.assert_array_equal(getattr(again, group)[name], value)
    assert again.by_clip("centroid_error")[0] == pytest.approx((0 + 0.2 + 0.3) / 3)


def test_breakdowns_are_means_of_their_clips() -> None:
    held = details()
    means = held.by_clip("centroid_error")
    found = groups(held, "centroid_error", "label")
    assert [(one.name, one.clips) for one in found] == [("linear", 4), ("circular", 4)]
    assert found[1].figure["value"] == pytest.approx(means[1::2].mean())
    assert sum(one.clips for one in groups(held, "mse", "speed")) == 8
    place = by_place(held, "centroid_error", (16, 24))
    assert np.isfinite(place).sum() == 1
    assert place[7, 1] == pytest.approx(np.nanmean(held.figures["centroid_error"]))


def test_the_page_is_one_file_that_names_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(make_run(tmp_path / "runs/recon" / name, skill, skill)) for name, skill in (("a", 0.9), ("b", 0.8))]
    assert main(["report", *runs, "--out", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert "trajvq fit --x &#39;&lt;y&gt;&#39;" in page
    assert "-0.1<small>-0.1 to -0.1" in page  # the second run from the first, clip by clip
    assert len(re.findall(r'<tr class="trivial">', page)) == 1  # both runs share it
    outside = re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"|url\((?!#)', page)
    assert outside == []
    assert "report: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("made", "words"),
    [("nothing", "there is no run"), ("empty", "holds neither"), ("damaged", "cannot be read")],
)
def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], made: str, words: str) -> None:
    if made != "nothing":
        (tmp_path / made / "scoreboards").mkdir(parents=True)
    if made == "damaged":
        (tmp_path / made / "scoreboards/test.json").write_text("{")
    assert main(["report", str(tmp_path / made), "--out", str(tmp_path / "r.html")]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
@pytest.mark.parametrize("screen", ["wide", "narrow dark"])
def test_a_browser_reads_it_and_plays_the_clips(report: Path, screen: str) -> None:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install trajvq[dev])")
    said: list[str] = []
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        options: dict[str, Any] = {"viewport": {"width": 1200, "height": 800}}
        if screen != "wide":
            options = {"viewport": {"width": 340, "height": 700}, "color_scheme": "dark"}
        page = browser.new_page(**options, offline=True)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(report.as_uri())
        page.wait_for_selector("body[data-ready]", timeout=10_000)
        assert float(page.get_attribute("[data-row=model][data-figure=skill]", "data-value")) == 0.9
        assert page.inner_text("[data-row=model][data-figure=visible]").split() == ["1.0000★", "0.9700", "to", "1.0000"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # only tables scroll sideways
        page.evaluate("document.querySelector('canvas').scrollIntoView()")  # what is out of sight stands still
        page.wait_for_function("document.querySelector('canvas').dataset.frame > 0", timeout=5_000)
        page.click("#play")
        pictures = []
        for frame in (0, 3):
            page.evaluate(f"frame.value = {frame}; frame.dispatchEvent(new Event('input'))")
            pictures.append(page.evaluate("document.querySelector('canvas').toDataURL()"))
        assert pictures[0] != pictures[1]
        assert page.get_attribute("canvas", "aria-label").startswith("a, test, clip 7, circular, centroid error 2.95")
        assert page.evaluate("[...document.querySelectorAll('svg')].every(s => s.getAttribute('aria-label'))")
        ink = page.evaluate("getComputedStyle(document.body).color")
        assert ink == ("rgb(31, 35, 40)" if screen == "wide" else "rgb(230, 237, 243)")
        browser.close()
    assert said == []


def test_runs_of_different_datasets_have_tables_of_their_own(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / f"recon/{name}", 0.9)) for name in ("a", "b", "c")]
    for run, sha256 in zip(runs, ("1", "2", "1"), strict=True):
        run.commands.append({"dataset": {"path": f"datasets/{sha256}", "sha256": sha256}})
    theirs = RunRecord(tmp_path / "t.json", "theirs", "recon", {"test": runs[0].boards["test"]})
    boards = merge([*runs, theirs])
    assert [board.data for board in boards] == ["datasets/1", "datasets/2"]
    assert [[name for name, model, _ in board.rows if model] for board in boards] == [["a", "c", "theirs"], ["model"]]
    assert [name for board in boards for name, *_ in board.differences] == ["c − a"]
    assert [board.data for board in merge([runs[0], runs[2]])] == [""]
