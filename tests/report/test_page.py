"""The report shows the content of run folders, also in a browser, and loads nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.report.run_folder import write_run
from trajvq.cli import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of one run."""
    folder = tmp_path_factory.mktemp("report")
    assert main(["report", str(write_run(folder / "runs/recon/a")), "--out", str(folder / "r.html")]) == 0
    return folder / "r.html"


def test_the_page_is_one_file_that_names_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(write_run(tmp_path / "runs/recon" / name, skill, skill)) for name, skill in (("a", 0.9), ("b", 0.8))]
    assert main(["report", *runs, "--out", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert "trajvq fit --x &#39;&lt;y&gt;&#39;" in page
    assert "-0.1<small>-0.1 to -0.1" in page  # the second run minus the first, clip by clip
    assert "error by predicted frame, px: a ends at 0.5" in page
    assert len(re.findall(r'<tr class="trivial">', page)) == 2  # both runs share blank and h264
    assert re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"|url\((?!#)', page) == []  # nothing to load
    assert "report: " in capsys.readouterr().out


def test_files_are_utf8_whatever_the_locale(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs/recon/a")
    (run / "config.yaml").write_text("run: café\n", encoding="utf-8")
    latin = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [sys.executable, "-m", "trajvq", "report", str(run), "--out", str(tmp_path / "r.html")]
    subprocess.run(words, env=os.environ | latin, check=True)
    assert "run: café" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("run", "words"),
    [("nothing", "there is no run"), ("empty", "holds neither"), ("damaged", "cannot be read")],
)
def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], run: str, words: str) -> None:
    if run != "nothing":
        (tmp_path / run / "scoreboards").mkdir(parents=True)
    if run == "damaged":
        (tmp_path / run / "scoreboards/test.json").write_text("{")
    assert main(["report", str(tmp_path / run), "--out", str(tmp_path / "r.html")]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
@pytest.mark.parametrize("screen", ["wide", "narrow dark"])
def test_a_browser_reads_it_and_plays_the_clips(report: Path, screen: str) -> None:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install trajvq[dev])")
    messages: list[str] = []
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        options: dict[str, Any] = {"viewport": {"width": 1200, "height": 800}}
        if screen != "wide":
            options = {"viewport": {"width": 340, "height": 700}, "color_scheme": "dark"}
        page = browser.new_page(**options, offline=True)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(report.as_uri())
        page.wait_for_selector("body[data-ready]", timeout=10_000)
        assert float(page.get_attribute("[data-row=model][data-figure=skill]", "data-value")) == 0.9
        assert page.inner_text("[data-row=model][data-figure=visible]").split() == ["1.0000★", "0.9700", "to", "1.0000"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # only tables scroll sideways
        page.evaluate("document.querySelector('canvas').scrollIntoView()")  # clips outside the viewport do not play
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
    assert messages == []
