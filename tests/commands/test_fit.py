"""The command line as a user drives it: runs, overrides, scoreboards and mistakes."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

from tests.conftest import SIZES, Run
from tests.toy_runs import copy_run, options
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import PRESETS
from trajvq.io.video import to_float, to_uint8
from trajvq.tokens import load_tokenizer

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
    board: dict[str, Any] = json.loads((run / "scoreboards" / f"{split}.json").read_text())
    return board


def last_checkpoint(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    return content


def test_a_run_folder_holds_what_it_should(recon_run: Path) -> None:
    for name in ("config.yaml", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "complete.json"):
        assert (recon_run / name).is_file(), name
    assert list((recon_run / "media").glob("*.png"))
    assert list((recon_run / "wandb").glob("offline-run-*"))
    assert (recon_run.parent / "latest").resolve() == recon_run
    rows = list(csv.DictReader((recon_run / "metrics.csv").open()))
    validated = [f"val/{name}" for name in ("mse", "skill", "visible", "centroid_error", "codes_used")]
    for name in ("train/loss", "train/mse", *validated):
        assert any(row[name] for row in rows), name


def test_scoreboards_hold_every_row_and_figure(recon_run: Path) -> None:
    assert "bits beyond a still clip" in (recon_run.parents[2] / "output.txt").read_text()
    board = scoreboard(recon_run)
    assert list(board["rows"]) == ["target", "blank", "mean_frame", "median_frame", "copy_first", "h264", "model"]
    assert {"task", "split", "clips", "seconds", "checkpoint", "rows"} <= board.keys()
    assert (board["clips"], scoreboard(recon_run, "ood_size")["clips"]) == (12, 4)
    pictures = {"mse", "psnr", "ssim", "skill", "object_psnr", "moving_psnr"}
    tracks = {"visible", "centroid_error", "centroid_p95", "radius_error", "color_error"}
    codes = {"bits", "bits_ideal", "codes_used", "perplexity"}
    assert pictures | tracks | codes <= board["rows"]["model"].keys()
    assert pictures | tracks | {"bits", "bits_beyond_still"} <= board["rows"]["h264"].keys()
    assert "probe_accuracy" not in board["rows"]["model"]  # of twelve clips, even true positions tell nothing
    assert any(line.startswith("probe_accuracy is left out") for line in board["remarks"])


def test_a_saved_config_starts_a_second_run_beside_the_first(finished: Path) -> None:
    assert main(["fit", "--config", str(finished / "config.yaml"), "--run=b"]) == 0
    first, second = (finished.parent / name / "config.yaml" for name in "ab")
    assert first.read_text() == second.read_text()


def test_a_checkpoint_path_is_tested_and_printed(
    finished: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--config=recon", f"--data.path={dataset}", "--model.tokenizer.width=16"]
    assert main(["test", *common, f"--ckpt_path={finished}/checkpoints/best.ckpt"]) == 0
    assert "checkpoint: runs/recon/a/checkpoints/best.ckpt (sha256" in capsys.readouterr().out


def test_a_split_of_one_clip_has_a_scoreboard(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = dict.fromkeys(PRESETS["default"].clips, 0) | {"train": 4, "val": 1, "test": 1}
    generate(tmp_path / "one", sizes, frames=8, size=32)
    common = ["--config=recon", f"--data.path={tmp_path / 'one'}", "--model.tokenizer.width=16"]
    assert main(["test", *common, f"--ckpt_path={finished}/checkpoints/best.ckpt"]) == 0
    assert "test · 1 clips" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_weights(finished: Path, fit: Run) -> None:
    for name, seed in (("b", 0), ("c", 1)):
        assert fit(f"--run={name}", f"--seed_everything={seed}") == 0
    first, second, other = (last_checkpoint(finished.parent / name)["state_dict"] for name in "abc")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_overrides_change_what_depends_on_them(fit: Run, here: Path) -> None:
    assert fit("--run=a", "--trainer.max_steps=3") == 0
    saved = yaml.safe_load((here / "runs/recon/a/config.yaml").read_text())
    assert saved["trainer"]["max_steps"] == 3
    assert saved["model"]["init_args"]["total_steps"] == 3
    assert last_checkpoint(here / "runs/recon/a")["hyper_parameters"]["total_steps"] == 3


def test_later_configs_and_options_override_earlier_ones(fit: Run, here: Path) -> None:
    tokenizer = "{tokenizer: {init_args: {blocks: 1}}}"
    Path("more.yaml").write_text(f"trainer: {{max_steps: 5}}\nmodel: {{init_args: {tokenizer}}}\n")
    steps = ["--trainer.max_steps=2", "--trainer.val_check_interval=1"]
    assert fit("--config=more.yaml", "--config=debug/fast", "--run=b", *steps) == 0
    saved = yaml.safe_load((here / "runs/debug/b/config.yaml").read_text())
    assert saved["model"]["init_args"]["total_steps"] == 2
    assert saved["model"]["init_args"]["tokenizer"]["init_args"]["blocks"] == 1
    assert not (here / "runs/debug/latest").exists()


def test_an_unfinished_run_goes_on_and_a_finished_one_is_refused(
    recon_run: Path, here: Path, fit: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = copy_run(recon_run, here, with_wandb=True)
    assert fit("--run=a") == 2
    assert "is finished" in capsys.readouterr().err
    (finished / "complete.json").unlink()
    before = (finished / "metrics.csv").read_text().splitlines()
    wandb_id, logged = (finished / "wandb.id").read_text(), len(list((finished / "wandb").glob("offline-run-*")))
    assert fit("--run=a", "--trainer.max_steps=6", logger=True) == 0
    after = (finished / "metrics.csv").read_text().splitlines()
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert last_checkpoint(finished)["global_step"] == 6
    assert len(list((finished / "wandb").glob("offline-run-*"))) == logged + 1
    assert (finished / "wandb.id").read_text() == wandb_id


def test_a_network_of_ones_own_trains_tests_and_reloads(here: Path, dataset: Path) -> None:
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
    assert load_tokenizer(here / "runs/recon/own/checkpoints/best.ckpt").codebook_size == 32


def test_predict_writes_what_the_scoreboard_scored(finished: Path, dataset: Path) -> None:
    common = ["--config", "recon", f"--data.path={dataset}", "--model.tokenizer.width=16"]
    assert main(["predict", *common, "--data.eval_batch_size=5"]) == 0
    with h5py.File(finished / "predictions.h5") as file:
        assert file["video"].shape == (12, 8, 3, 32, 32)
        assert file["index"][:].tolist() == list(range(12))
        assert file["indices"].shape == (12, 2, 4, 4)
        prediction = torch.from_numpy(file["video"][:]).float() / 255
    target = Clips(dataset, "test").batch(list(range(12)))["video"].float() / 255
    mse = float((prediction - target).square().mean())
    assert scoreboard(finished)["rows"]["model"]["mse"] == pytest.approx(mse, rel=1e-4)


def test_predictions_of_clips_that_end_within_a_token_have_their_length(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(Path("odd"), dict.fromkeys(SIZES, 0) | {"test": 3}, frames=10, size=32)
    assert main(["predict", *options("recon", Path("odd"))]) == 0
    assert "the last frame is repeated up to 12" in capsys.readouterr().out
    network: Any = load_tokenizer(finished / "checkpoints/best.ckpt")
    video = to_float(Clips(Path("odd"), "test").batch([0, 1, 2])["video"])
    padded = torch.cat([video, video[:, :, -1:], video[:, :, -1:]], dim=2)
    with h5py.File(finished / "predictions.h5") as file:
        assert set(file) == {"index", "video"}
        np.testing.assert_array_equal(file["video"][:], to_uint8(network(padded))[:, :10])
    assert main(["score", str(finished / "predictions.h5"), "--data", "odd"]) == 0


MISTAKES: dict[str, tuple[list[str], str]] = {
    "unknown key": (["--model.tokenizer.widht=3"], "widht"),
    "unknown class": (["--model.tokenizer=NoSuchNet"], "NoSuchNet"),
    "unknown top key": (["--trainr.max_steps=3"], "trainr"),
    "wrong type": (["--trainer.max_steps=many"], "max_steps"),
    "missing config": (["--config", "nope"], "there is no config nope"),
    "missing dataset": (["--data.path=nowhere"], "no dataset in nowhere"),
    "bad levels": (["--model.tokenizer.levels=[1]"], "levels"),
    "levels without their digits": (["--model.tokenizer.levels=[8,8,8]"], "digits"),
    "missing checkpoint": (["--ckpt_path=no.ckpt"], "no checkpoint no.ckpt"),
    "unwritable folder": (["--run_root=/proc/runs"], "cannot write"),
    "not a name": (["--run=a/b"], "not a valid name"),
    "batches without clips": (["--data.batch_size=0"], "data.batch_size is 0; it is at least 1"),
    "pictures without clips": (["--strips.clips=0"], "strips.clips is 0 and"),
}


@pytest.mark.parametrize("case", sorted(MISTAKES))
def test_mistakes_are_one_line(fit: Run, capfd: pytest.CaptureFixture[str], case: str) -> None:
    arguments, words = MISTAKES[case]
    assert fit(*arguments) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("trajvq: ")
    assert words in lines[-1]
    assert not any("Traceback" in line for line in lines)


def test_a_profiler_prints_its_table(fit: Run, caplog: pytest.LogCaptureFixture) -> None:
    assert fit("--trainer.max_steps=1", "--trainer.profiler=simple") == 0
    assert "run_training_batch" in caplog.text
    caplog.clear()
    assert fit("--trainer.max_steps=1") == 0
    assert "run_training_batch" not in caplog.text


@pytest.mark.usefixtures("finished")
def test_a_checkpoint_of_another_architecture_is_refused(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--config", "recon", f"--data.path={dataset}", "--model.tokenizer.width=24"]) == 2
    assert "of another network" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_clips_that_do_not_divide_into_tokens_are_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    np.savez("odd.npz", videos=np.random.default_rng(0).integers(0, 255, (40, 6, 3, 36, 32), np.uint8))
    assert main(["data", "import-videos", "odd.npz", "--out", "odd"]) == 0
    assert main(["fit", "--config", "recon", "--data.path=odd", "--trainer.logger=false"]) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("trajvq: clips of odd are 6 frames of 36x32")
    assert not any("Traceback" in line for line in lines)


@pytest.mark.usefixtures("finished")
def test_a_film_of_one_clip_is_tested_predicted_and_scored(here: Path) -> None:
    film = np.full((9, 32, 32, 3), 255, np.uint8)
    for t in range(len(film)):
        film[t, 10:16, 3 * t : 3 * t + 6] = 40
    np.save("film.npy", film)
    assert main(["data", "import-videos", "film.npy", "--out", "film", "--frames=8"]) == 0
    arguments = options("recon", Path("film"))
    assert main(["test", *arguments]) == 0
    board = json.loads((here / "runs/recon/a/scoreboards/film/test.json").read_text())
    assert board["clips"] == 1
    assert main(["predict", *arguments]) == 0
    (predictions,) = here.glob("runs/recon/a/**/predictions.h5")
    assert main(["score", str(predictions), "--data", "film"]) == 0


@pytest.mark.usefixtures("here")
def test_nothing_is_tested_on_random_weights(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("test", "validate", "predict"):
        assert main([verb, "--config", "recon", f"--data.path={dataset}"]) == 2
        said = capsys.readouterr().err
        assert "there is no checkpoint runs/recon/latest/checkpoints/best.ckpt" in said
        assert "or use the package's weights by `--ckpt_path default`" in said


def test_damage_in_a_loader_process_is_one_line(
    fit: Run, here: Path, dataset: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(dataset, here / "copy")
    path = here / "copy/train-00000.h5"
    with h5py.File(path) as file:
        chunk = file["video"].id.get_chunk_info(7)
    raw = bytearray(path.read_bytes())
    raw[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(raw)
    assert fit("--data.path=copy", "--data.num_workers=1", "--trainer.max_steps=8") == 2
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("trajvq: clip 7 of split 'train'")


def test_steps_after_the_last_validation_are_reported(fit: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_steps=3", "--run=a") == 0
    assert "the last 1 batches are not validated" in capsys.readouterr().out
    assert fit("--trainer.max_steps=2", "--run=b") == 0
    assert "not validated" not in capsys.readouterr().out


def test_the_collapse_watch_names_the_fault_and_stops(fit: Run, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collapse = ["--model.loss=PlainLoss", "--model.learning_rate=0", "--collapse.patience=2"]
    assert fit("--run=a", "--collapse.on_collapse=stop", *collapse) == 3
    error = capsys.readouterr().err
    assert "collapse after 2 validations (step 4)" in error
    assert error.count("trajvq: ") == 1
    run = here / "runs/recon/a"
    assert not (run / "complete.json").exists()
    last = last_checkpoint(run)
    assert (last["global_step"], last["callbacks"]["CollapseWatch"]["validations"]) == (4, 2)
    assert fit("--run=a", "--collapse.on_collapse=stop", *collapse) == 3  # starting it again does not finish it
    assert fit("--run=a", "--collapse.on_collapse=warn", *collapse) == 0
