"""The tasks' weights in the package: slim checkpoints that test, predict, sample and start runs by `default`."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
import torch

from tests.conftest import save_tokenizer
from tests.toy_runs import SHORT, options
from trajvq.cli import main
from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.errors import UserError
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.video import to_float, to_uint8
from trajvq.models import CausalTokenizer
from trajvq.tokens import FrozenTokenizer, load_tokenizer, task_weights, weights
from trajvq.tokens.export import write_folder
from trajvq.tokens.protocol import spec_of
from trajvq.tokens.sampling import load_generator
from trajvq.tokens.task_weights import TASKS, default_checkpoint, half, slim, write_slim
from trajvq.tokens.weights import read_tokenizer

DEFAULT = "--ckpt_path=default"
STEPS = "--model.total_steps=4"


def export(network: torch.nn.Module, folder: Path) -> None:
    write_folder(network, spec_of(network), {"skill": 0.5, "about": {"step": 4}}, folder)


@pytest.fixture
def packaged(
    classify_run: Path,
    sample_run: Path,
    forecast_run: Path,
    tokenizer: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The folder of slim checkpoints of toy runs, which stand with their tokenizer in the place of the package's."""
    folder = tmp_path_factory.mktemp("weights")
    export(load_tokenizer(tokenizer), folder / "default")
    monkeypatch.setattr(weights, "FOLDER", folder / "default")
    monkeypatch.setattr(task_weights, "FOLDER", folder / "tasks")
    for run in (classify_run, sample_run, forecast_run):
        content = slim(read_checkpoint(run / "checkpoints/best.ckpt"))
        identity = FrozenTokenizer("default").identity()  # the same network as the toy run's, from another file
        write_slim(content | {"tokenizer": identity}, folder / f"tasks/{run.parent.name}.ckpt")
    return folder / "tasks"


def test_a_slim_checkpoint_holds_weights_and_what_describes_them(
    packaged: Path, classify_run: Path, sample_run: Path, forecast_run: Path
) -> None:
    monitors = {"classify": "val/accuracy", "sample": "val/nll", "forecast": "val/ade"}
    for run in (classify_run, sample_run, forecast_run):
        task, whole = run.parent.name, run / "checkpoints/best.ckpt"
        content, original = read_checkpoint(packaged / f"{task}.ckpt"), read_checkpoint(whole)
        assert content.keys() == {*task_weights.KEPT, "state_dict", "score"}
        assert content["score"]["monitor"] == monitors[task]
        assert content["state_dict"].keys() == original["state_dict"].keys()
        assert all(torch.equal(value, original["state_dict"][name]) for name, value in content["state_dict"].items())
        assert not any("tokenizer" in name for name in content["state_dict"])
        assert (packaged / f"{task}.ckpt").stat().st_size < whole.stat().st_size / 2


def test_half_is_half_as_large_and_loads_as_float32(sample_run: Path, tmp_path: Path) -> None:
    content = slim(read_checkpoint(sample_run / "checkpoints/best.ckpt"))
    for name, stored in (("whole", content), ("half", half(content))):
        write_slim(stored, tmp_path / name)
    assert (tmp_path / "half").stat().st_size < 0.75 * (tmp_path / "whole").stat().st_size  # toy weights, long names
    tokenizer = str(content["tokenizer"]["path"])
    whole, halved = (load_generator(tmp_path / name, tokenizer).network.state_dict() for name in ("whole", "half"))
    for name, value in halved.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, whole[name], rtol=2**-11, atol=2**-24)


def test_weights_that_cannot_be_written_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"^cannot write .*a.ckpt: No space left on device; choose another folder$"):
        write_slim({"state_dict": {}}, tmp_path / "a.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_half_refuses_weights_beyond_float16(sample_run: Path) -> None:
    content = slim(read_checkpoint(sample_run / "checkpoints/best.ckpt"))
    content["state_dict"]["network.tokens.start"] = torch.full((2,), 1e5)
    with pytest.raises(ValueError, match=r"weights of network\.tokens\.start are beyond float16"):
        half(content)


def test_a_tokenizer_cannot_be_made_slim(recon_run: Path) -> None:
    with pytest.raises(UserError, match="only checkpoints of classify, sample, forecast"):
        slim(read_checkpoint(recon_run / "checkpoints/best.ckpt"))


@pytest.mark.parametrize(("task", "figure"), [("classify", "accuracy"), ("forecast", "ade")])
def test_default_tests_and_predicts_like_the_run_it_is_from(
    packaged: Path,
    dataset: Path,
    here: Path,
    task: str,
    figure: str,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run: Path = request.getfixturevalue(f"{task}_run")
    before = {path: path.stat().st_mtime_ns for path in packaged.parent.rglob("*")}
    assert main(["test", *options(task, dataset), STEPS, DEFAULT]) == 0
    said = capsys.readouterr().out
    assert "checkpoint: default (sha256 " in said
    assert "tokenizer: default (sha256 " in said  # implied
    expected, board = (json.loads((folder / "scoreboards/test.json").read_text()) for folder in (run, run_folder(task)))
    assert board["checkpoint"] == "default"
    assert board["rows"]["model"][figure] == expected["rows"]["model"][figure]
    assert main(["predict", *options(task, dataset), STEPS, DEFAULT]) == 0
    assert list(run_folder(task).glob("predictions.*"))
    assert before == {path: path.stat().st_mtime_ns for path in packaged.parent.rglob("*")}
    assert not (here / f"runs/{task}/latest").exists()


def run_folder(task: str) -> Path:
    return Path(f"runs/{task}/default")


@pytest.mark.usefixtures("packaged", "here")
def test_default_samples_the_clips_of_the_run_it_is_from(
    sample_run: Path, tokenizer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = f"--ckpt_path={sample_run / 'checkpoints/best.ckpt'}"
    for out, source in (("a", [DEFAULT]), ("b", [original, f"--tokenizer_ckpt={tokenizer}"])):
        assert main(["sample", f"--out={out}", "--num=2", "--animation=none", *source]) == 0
    assert "checkpoint: default (sha256 " in capsys.readouterr().out
    first, second = (Clips(Path(out), "train") for out in "ab")
    assert first.manifest.preset == "samples of default"
    assert torch.equal(first.batch(list(range(len(first))))["video"], second.batch(list(range(len(second))))["video"])


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("task", task_weights.TASKS)
def test_a_run_starts_from_default(
    task: str, packaged: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = ["--model.learning_rate=0", "--model.matrix_learning_rate=null", "--model.weight_decay=0"]
    still += ["--trainer.logger=false"]
    common = ["fit", *options(task, dataset), *SHORT, *still, "--model.tokenizer_ckpt=default"]
    assert main([*common, "--run=b", "--model.init_from=default"]) == 0
    assert "starts from default (sha256 " in capsys.readouterr().out
    content = read_checkpoint(Path(f"runs/{task}/b/checkpoints/last.ckpt"))
    assert content["initial_weights"]["path"] == "default"
    slim_state = read_checkpoint(packaged / f"{task}.ckpt")["state_dict"]
    assert all(torch.equal(value, content["current_model_state"][name]) for name, value in slim_state.items())


@pytest.mark.usefixtures("here")
def test_default_of_recon_is_the_tokenizer(packaged: Path, recon_run: Path, dataset: Path) -> None:
    export(load_tokenizer(recon_run / "checkpoints/best.ckpt"), packaged.parent / "default")
    assert main(["predict", *options("recon", dataset), DEFAULT]) == 0
    network = load_tokenizer("default")
    video = to_float(Clips(dataset, "test").batch([0, 1, 2])["video"])
    expected = to_uint8(network.decode(network.encode(video)))  # type: ignore[operator]
    with h5py.File("runs/recon/default/predictions.h5") as file:
        assert (abs(file["video"][:3].astype(int) - expected.astype(int)) <= 1).all()  # rounding differs by batch
    assert FrozenTokenizer("runs/recon/default/checkpoints/best.ckpt").skill == 0.5
    assert main(["validate", *options("recon", dataset), DEFAULT]) == 0


def other_tokenizer(packaged: Path, here: Path) -> list[str]:
    export(CausalTokenizer(width=24), packaged.parent / "default")
    return [DEFAULT]


def missing(packaged: Path, here: Path) -> list[str]:
    (packaged / "classify.ckpt").unlink()
    return [DEFAULT]


def own_tokenizer(packaged: Path, here: Path) -> list[str]:
    save_tokenizer(CausalTokenizer(width=24), here / "own.ckpt", 0.5)
    return [DEFAULT, "--model.tokenizer_ckpt", "own.ckpt"]


def own_task(packaged: Path, here: Path) -> list[str]:
    Path("own.py").write_text("from trajvq.tasks import Classify\n\n\nclass Own(Classify):\n    task = 'own'\n")
    return [DEFAULT, "--model.class_path=own.Own"]


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (other_tokenizer, "the default weights of classify were made with another default tokenizer (sha256 "),
        (missing, "make them with `python experiments/weights/make_tasks.py` in a checkout"),
        (own_tokenizer, "; set model.tokenizer_ckpt to the first"),
        (own_task, "there are no default weights of own; give a checkpoint of it"),
    ],
)
def test_mistakes_are_one_line(
    packaged: Path,
    dataset: Path,
    here: Path,
    prepare: Callable[[Path, Path], list[str]],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["test", *options("classify", dataset), STEPS, *prepare(packaged, here)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("here")
def test_a_training_does_not_continue_from_weights_alone(
    packaged: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for checkpoint in ("default", str(packaged / "classify.ckpt")):
        common = ["fit", *options("classify", dataset), "--model.tokenizer_ckpt=default", *SHORT]
        assert main([*common, "--run=b", f"--ckpt_path={checkpoint}"]) == 2
        assert "weights alone; start a run from them with --model.init_from" in capsys.readouterr().err
    assert main([*common, "--run=default"]) == 2
    assert "--run default is where" in capsys.readouterr().err


def test_a_run_on_the_default_tokenizer_of_another_trajvq_says_so(packaged: Path) -> None:
    tokenizer = FrozenTokenizer("default")
    with pytest.raises(UserError, match="x was trained on the tokenizer default of another trajvq"):
        tokenizer.check({"path": "default", "sha256": "0" * 64}, "x")


@pytest.mark.parametrize("task", TASKS)
def test_the_weights_of_the_package_are_small_and_those_of_the_configs(task: str, here: Path) -> None:
    path = default_checkpoint(task)
    content = read_checkpoint(path)
    assert content["tokenizer"] == {"path": "default", "sha256": read_tokenizer("default").sha256}
    assert {"commit", "machine", "day", "dataset", "versions"} <= content["about"].keys()
    assert content["test"]["clips"] > 0
    assert content.keys() & {"optimizer_states", "loops", "callbacks", "current_model_state"} == set()
    assert {value.dtype for value in content["state_dict"].values()} == {torch.float16}
    assert path.stat().st_size < 7e6
    assert f"## {task}" in (path.parent / "README.md").read_text()
    generate(here / "clips", {"train": 4, "val": 4, "test": 4} | dict.fromkeys(OOD, 0))
    if task == "sample":
        assert main(["sample", "--out=s", "--num=1", "--animation=none", DEFAULT]) == 0
        assert main(["validate", "--config=sample", "--data.path=clips", DEFAULT]) == 0
    else:
        assert main(["predict", f"--config={task}", "--data.path=clips", DEFAULT]) == 0
