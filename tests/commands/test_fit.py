"""The command line as a user drives it: runs, overrides, scoreboards and mistakes."""

import csv
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

from tests.conftest import Run
from trajvq.cli import main

NETWORK = '''
import torch

class Pixels(torch.nn.Module):
    """The plainest tokenizer: one brightness a cell."""

    def __init__(self, levels: int = 16):
        super().__init__()
        self.levels = self.codebook_size = levels
        self.strides = (2, 4, 4)
        self.gain = torch.nn.Parameter(torch.ones(()))

    def quantize(self, video):
        mean = torch.nn.functional.avg_pool3d(video.mean(1, keepdim=True), self.strides)
        return (mean * (self.levels - 1)).round() / (self.levels - 1)

    def render(self, codes):
        big = codes * self.gain
        for dim, size in zip((2, 3, 4), self.strides):
            big = big.repeat_interleave(size, dim)
        return big.expand(-1, 3, -1, -1, -1)

    def forward(self, video):
        return self.render(self.quantize(video))

    def encode(self, video):
        return (self.quantize(video)[:, 0] * (self.levels - 1)).round().long()

    def decode(self, indices):
        return self.render(indices[:, None].float() / (self.levels - 1))
'''


def scoreboard(run: Path, split: str = "test") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "scoreboards" / f"{split}.json").read_text())
    return found


def test_a_run_folder_holds_what_it_should(
    fit: Run, here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("--run=a", logger=True) == 0
    run = here / "runs/recon/a"
    for name in ("config.yaml", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "complete.json"):
        assert (run / name).is_file(), name
    assert list((run / "media").glob("*.png"))
    assert (here / "runs/recon/latest").resolve() == run
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    for name in (
        "train/loss",
        "train/mse",
        "val/mse",
        "val/skill",
        "val/visible",
        "val/centroid_error",
        "val/codes_used",
    ):
        assert any(row[name] for row in rows), name

    # A second run beside the first, in the same W&B folder or not, and from the saved config.
    assert main(["fit", "--config", str(run / "config.yaml"), "--run=b"]) == 0
    first, second = ((here / f"runs/recon/{n}/config.yaml").read_text() for n in "ab")
    assert first == second
    assert list((run / "wandb").glob("offline-run-*"))

    capsys.readouterr()
    assert (
        main(
            [
                "test",
                "--config",
                "recon",
                f"--data.path={dataset}",
                "--model.tokenizer.width=16",
                "--data.test_splits=[test,ood_size]",
                f"--ckpt_path={run}/checkpoints/best.ckpt",
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    board = scoreboard(run)
    assert list(board["rows"]) == ["blank", "mean_frame", "median_frame", "copy_first", "model"]
    assert {"task", "split", "clips", "seconds", "checkpoint", "rows"} <= board.keys()
    assert (board["clips"], scoreboard(run, "ood_size")["clips"]) == (12, 4)
    assert {
        "mse",
        "psnr",
        "ssim",
        "skill",
        "object_psnr",
        "visible",
        "centroid_error",
        "centroid_p95",
        "radius_error",
        "color_error",
        "bits",
        "codes_used",
        "perplexity",
        "probe_accuracy",
    } <= board["rows"]["model"].keys()
    assert "mean_frame" in said
    assert "checkpoint: runs/recon/a/checkpoints/best.ckpt (sha256" in said


def test_the_same_seed_gives_the_same_weights(fit: Run, here: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert fit(f"--run={name}", f"--seed_everything={seed}") == 0
    a, b, c = (
        torch.load(here / f"runs/recon/{n}/checkpoints/last.ckpt", weights_only=True)["state_dict"] for n in "abc"
    )
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


def test_overrides_reach_what_depends_on_them(fit: Run, here: Path) -> None:
    assert fit("--run=a", "--trainer.max_steps=3") == 0
    saved = yaml.safe_load((here / "runs/recon/a/config.yaml").read_text())
    assert saved["trainer"]["max_steps"] == 3
    assert saved["model"]["init_args"]["total_steps"] == 3
    hparams = torch.load(here / "runs/recon/a/checkpoints/last.ckpt", weights_only=True)["hyper_parameters"]
    assert hparams["total_steps"] == 3
    (here / "more.yaml").write_text(
        "trainer: {max_steps: 5}\nmodel: {init_args: {tokenizer: {init_args: {blocks: 1}}}}\n"
    )
    assert (
        main(
            [
                "fit",
                "--config",
                "recon",
                "--config",
                "more.yaml",
                "--config",
                "debug/fast",
                "--run=b",
                f"--data.path={saved['data']['init_args']['path']}",
                "--trainer.max_steps=2",
                "--data.batch_size=4",
                "--model.tokenizer.width=16",
                "--trainer.val_check_interval=1",
                "--trainer.logger=false",
            ]
        )
        == 0
    )
    saved = yaml.safe_load((here / "runs/debug/b/config.yaml").read_text())
    assert saved["model"]["init_args"]["total_steps"] == 2
    assert saved["model"]["init_args"]["tokenizer"]["init_args"]["blocks"] == 1
    assert not (here / "runs/debug/latest").exists()


def test_an_unfinished_run_goes_on_and_a_finished_one_is_refused(
    fit: Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("--run=a", logger=True) == 0
    run = here / "runs/recon/a"
    (run / "complete.json").unlink()
    before = (run / "metrics.csv").read_text().splitlines()
    assert fit("--run=a", "--trainer.max_steps=6", logger=True) == 0
    after = (run / "metrics.csv").read_text().splitlines()
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 6
    assert len(list((run / "wandb").glob("offline-run-*"))) == 2
    capsys.readouterr()
    assert fit("--run=a") == 2
    assert "is finished" in capsys.readouterr().err


def test_a_network_of_ones_own_trains_tests_and_reloads(fit: Run, here: Path, dataset: Path) -> None:
    (here / "mynet.py").write_text(NETWORK)
    (here / "mine.yaml").write_text(
        "model: {init_args: {tokenizer: {class_path: mynet.Pixels, init_args: {levels: 32}}}}\n"
    )
    own = ["--config", "recon", "--config", "mine.yaml", f"--data.path={dataset}", "--data.batch_size=4"]
    short = ["--trainer.max_steps=2", "--trainer.val_check_interval=2", "--trainer.logger=false", "--run=own"]
    assert main(["fit", *own, *short]) == 0
    assert main(["test", *own]) == 0
    row = scoreboard(here / "runs/recon/own")["rows"]["model"]
    assert row["bits"] == 4 * 8 * 8 * 5
    from trajvq.tokens import load_tokenizer

    assert load_tokenizer(here / "runs/recon/own/checkpoints/best.ckpt").codebook_size == 32


def test_predict_writes_what_the_scoreboard_scored(fit: Run, here: Path, dataset: Path) -> None:
    assert fit("--run=a") == 0
    common = ["--config", "recon", f"--data.path={dataset}", "--model.tokenizer.width=16", "--data.eval_batch_size=5"]
    assert main(["predict", *common]) == 0
    assert main(["test", *common]) == 0
    with h5py.File(here / "runs/recon/a/predictions.h5") as file:
        assert file["video"].shape == (12, 8, 3, 32, 32)
        assert file["index"][:].tolist() == list(range(12))
        assert file["indices"].shape == (12, 2, 4, 4)
        made = torch.from_numpy(file["video"][:]).float() / 255
    from trajvq.data.storage.clips import Clips

    clips = Clips(dataset, "test")
    target = torch.stack([clips[k]["video"] for k in range(12)]).float() / 255
    assert scoreboard(here / "runs/recon/a")["rows"]["model"]["mse"] == pytest.approx(
        float((made - target).square().mean()), rel=1e-4
    )


MISTAKES: dict[str, tuple[list[str], str]] = {
    "unknown key": (["--model.tokenizer.widht=3"], "widht"),
    "unknown class": (["--model.tokenizer=NoSuchNet"], "NoSuchNet"),
    "unknown top key": (["--trainr.max_steps=3"], "trainr"),
    "wrong type": (["--trainer.max_steps=many"], "max_steps"),
    "missing config": (["--config", "nope"], "there is no config nope"),
    "missing dataset": (["--data.path=nowhere"], "no dataset in nowhere"),
    "too large a batch": (["--data.batch_size=99"], "fewer than a batch"),
    "bad levels": (["--model.tokenizer.levels=[1]"], "levels"),
    "levels without their digits": (["--model.tokenizer.levels=[8,8,8]"], "digits"),
    "missing checkpoint": (["--ckpt_path=no.ckpt"], "no checkpoint no.ckpt"),
    "unwritable folder": (["--run_root=/proc/runs"], "cannot write"),
    "not a name": (["--run=a/b"], "no name"),
}


@pytest.mark.parametrize("case", sorted(MISTAKES))
def test_mistakes_are_one_line(fit: Run, capfd: pytest.CaptureFixture[str], case: str) -> None:
    arguments, words = MISTAKES[case]
    assert fit(*arguments) == 2
    said = capfd.readouterr().err.strip().splitlines()
    assert said[-1].startswith("trajvq: ")
    assert words in said[-1]
    assert not any("Traceback" in line for line in said)


def test_a_profiler_prints_its_table(fit: Run, caplog: pytest.LogCaptureFixture) -> None:
    assert fit("--trainer.profiler=simple") == 0
    assert "run_training_batch" in caplog.text
    caplog.clear()
    assert fit() == 0
    assert "run_training_batch" not in caplog.text


def test_a_checkpoint_of_another_architecture_is_refused(
    fit: Run, here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("--run=a") == 0
    assert main(["test", "--config", "recon", f"--data.path={dataset}", "--model.tokenizer.width=24"]) == 2
    assert "of another network" in capsys.readouterr().err


def test_clips_that_do_not_divide_into_tokens_are_one_line(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.savez("odd.npz", videos=np.zeros((40, 6, 3, 36, 32), np.uint8))
    assert main(["data", "import-videos", "odd.npz", "--out", "odd"]) == 0
    assert main(["fit", "--config", "recon", "--data.path=odd", "--trainer.logger=false"]) == 2
    said = capfd.readouterr().err.strip().splitlines()
    assert said[-1].startswith("trajvq: clips of odd are 6 frames of 36x32")
    assert not any("Traceback" in line for line in said)


def test_nothing_is_tested_on_random_weights(here: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("test", "validate", "predict"):
        assert main([verb, "--config", "recon", f"--data.path={dataset}"]) == 2
        assert "there is no checkpoint runs/recon/latest/checkpoints/best.ckpt" in capsys.readouterr().err


def test_damage_in_a_loader_process_is_one_line(
    fit: Run, here: Path, dataset: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import shutil

    shutil.copytree(dataset, here / "copy")
    path = here / "copy/train-00000.h5"
    with h5py.File(path) as file:
        chunk = file["video"].id.get_chunk_info(7)
    raw = bytearray(path.read_bytes())
    raw[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(raw)
    assert fit("--data.path=copy", "--data.num_workers=1", "--trainer.max_steps=8") == 2
    said = capfd.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("trajvq: clip 7 of split 'train'")


def test_steps_after_the_last_validation_are_told(fit: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_steps=5", "--run=a") == 0
    assert "will not know its last 1 batches" in capsys.readouterr().out
    assert fit("--trainer.max_steps=6", "--run=b") == 0
    assert "is not validated" not in capsys.readouterr().out


def test_the_collapse_watch_names_the_fault_and_stops(fit: Run, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collapse = ["--model.loss=PlainLoss", "--model.learning_rate=0", "--collapse.patience=2"]
    assert fit("--run=a", "--collapse.on_collapse=stop", *collapse) == 3
    said = capsys.readouterr().err
    assert "collapse after 2 validations (step 4)" in said
    assert said.count("trajvq: ") == 1
    assert not (here / "runs/recon/a/complete.json").exists()
    last = torch.load(here / "runs/recon/a/checkpoints/last.ckpt", weights_only=True)
    assert (last["global_step"], last["callbacks"]["CollapseWatch"]["validations"]) == (4, 2)
    assert fit("--run=a", "--collapse.on_collapse=stop", *collapse) == 3  # it is not finished by asking again
    assert fit("--run=a", "--collapse.on_collapse=warn", *collapse) == 0
