"""`trajvq data info` lists the content of a dataset, and its equations give the positions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.equations import evaluate
from trajvq.cli import main
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import read_column


def check_equations(folder: Path, jsonl: Path) -> int:
    manifest = read_manifest(folder)
    lines = [json.loads(line) for line in jsonl.read_text().splitlines()]
    for split in manifest.splits:
        position = read_column(folder, manifest, split, "position")
        time = read_column(folder, manifest, split, "time")
        assert position is not None
        assert time is not None
        for line in (line for line in lines if line["split"] == split):
            computed = evaluate(line["equation"], time[line["index"]].astype(float))
            np.testing.assert_allclose(computed, position[line["index"], :, 0], atol=2e-6)
            assert manifest.classes[line["label"]] == line["class"]
            assert line["description"].startswith("A ")
    return len(lines)


def test_equations_give_the_positions(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet, jsonl = tmp_path / "sheet.png", tmp_path / "all.jsonl"
    assert main(["data", "info", str(dataset), "--sheet", str(sheet), "--jsonl", str(jsonl)]) == 0
    text = capsys.readouterr().out
    assert "helical" in text
    assert "72 lines" in text
    assert check_equations(dataset, jsonl) == 72
    with Image.open(sheet) as picture:
        assert min(picture.size) > 100
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


def test_a_dataset_without_labels_has_a_contact_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "v.npz", videos=np.random.default_rng(0).random((10, 4, 3, 24, 20)).astype(np.float32))
    assert main(["data", "import-videos", str(tmp_path / "v.npz"), "--out", str(tmp_path / "out")]) == 0
    assert main(["data", "info", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "contact_sheet.png").exists()
    assert main(["data", "verify", str(tmp_path / "out")]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err


def test_a_dataset_that_cannot_be_written_to_is_shown_without_its_sheet(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(dataset, folder)
    (folder / "contact_sheet.png").mkdir()  # so that not even root can write the file
    assert main(["data", "info", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert f"no contact sheet: cannot write {folder / 'contact_sheet.png'}: Is a directory" in printed
    assert "name another file with --sheet" in printed
    assert main(["data", "info", str(folder), "--sheet", str(folder / "contact_sheet.png")]) == 2
    assert main(["data", "info", str(folder), "--jsonl", str(folder / "manifest.json" / "x.jsonl")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert [line.rpartition("; ")[2] for line in errors] == [
        "name another file with --sheet",
        "choose another --jsonl",
    ]
