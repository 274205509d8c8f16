"""A dataset as tokens: decodable, with the label, equation and description of each clip beside them."""

import json
from pathlib import Path

import h5py
import pytest
import torch

from tests.conftest import SIZES
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.storage.manifest import read_manifest
from trajvq.data.storage.shards import read_column
from trajvq.data.synthetic.generate import generate
from trajvq.io.video import to_float
from trajvq.tokens import FrozenTokenizer, load_tokenizer


def test_both_formats_have_the_same_content_and_decode(
    tokenizer: Path, dataset: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in ("t.h5", "t.jsonl"):
        assert main(["tokenize", str(dataset), "--out", out, f"--ckpt_path={tokenizer}"]) == 0
    said = capsys.readouterr().out
    assert said.count("encoding the 32 clips") == 1
    assert "skill 0.500" in said
    manifest = read_manifest(dataset)
    lines = [json.loads(line) for line in (here / "t.jsonl").read_text().splitlines()]
    assert len(lines) == sum(manifest.clips(split) for split in manifest.splits)
    with h5py.File(here / "t.h5") as file:
        assert file.attrs["codebook_size"] == 1000
        assert file.attrs["levels"].tolist() == [8, 5, 5, 5]
        assert file.attrs["tokenizer"] == FrozenTokenizer(str(tokenizer)).sha256
        for line in lines:
            columns = {name: file[line["split"]][name][line["index"]] for name in file[line["split"]]}
            assert columns["tokens"].flatten().tolist() == line["tokens"]
            assert list(columns["tokens"].shape) == line["grid"]
            assert columns["equation"][0].decode() == line["equation"]
            assert columns["description"][0].decode() == line["description"]
            assert manifest.classes[columns["label"]] == line["class"]
        tokens = torch.from_numpy(file["test/tokens"][:]).long()
    assert FrozenTokenizer(str(tokenizer)).decode(tokens).shape == (12, 3, 8, 32, 32)
    truth = read_column(dataset, manifest, "test", "label")
    assert truth is not None
    assert [line["label"] for line in lines if line["split"] == "test"] == truth.tolist()


def test_clips_that_end_within_a_token_are_padded_and_that_is_said(
    tokenizer: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(here / "odd", dict.fromkeys(SIZES, 0) | {"test": 3}, frames=10, size=32)
    for out in ("t.h5", "t.jsonl"):
        assert main(["tokenize", "odd", "--out", out, f"--ckpt_path={tokenizer}"]) == 0
        assert "clips of 10 frames: a token covers 4, so the last frame is repeated up to 12" in capsys.readouterr().out
    line = json.loads(Path("t.jsonl").read_text().splitlines()[2])
    assert (line["frames"], line["grid"]) == (10, [3, 4, 4])
    with h5py.File("t.h5") as file:
        assert file.attrs["frames"] == 10
        tokens = torch.from_numpy(file["test/tokens"][:])
    assert tokens[2].flatten().tolist() == line["tokens"]
    video = to_float(Clips(here / "odd", "test").batch([0, 1, 2])["video"])
    padded = torch.cat([video, video[:, :, -1:], video[:, :, -1:]], dim=2)
    assert torch.equal(tokens.long(), load_tokenizer(tokenizer).encode(padded))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "t.txt"], "ends in neither .h5 nor .jsonl"),
        (["--out", "t.h5"], "there is no checkpoint"),
        (["--out", "t.h5", "--splits", "dev"], "has no split 'dev'"),
        (["--out", "/proc/t.h5", "--splits", "val", "--ckpt_path=TOKENIZER"], "cannot write /proc/t.h5"),
    ],
)
def test_mistakes_are_one_line(
    tokenizer: Path,
    dataset: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    resolved = [word.replace("TOKENIZER", str(tokenizer)) for word in arguments]
    assert main(["tokenize", str(dataset), *resolved]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
