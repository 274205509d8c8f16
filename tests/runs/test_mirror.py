"""Runs with a mirror: what the mirror holds, and how a run continues from it on another machine."""

import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
import torch

from tests.conftest import Run
from tests.stores import CREDENTIALS, impatient, memory, s3, s3_server
from tests.toy_runs import EXTRA, SHORT, options
from trajvq.callbacks import RemoteMirror
from trajvq.cli import main
from trajvq.errors import UserError
from trajvq.io.remote import fetch_verified, names_below
from trajvq.runs.mirror import fetch_run, mirrored

__all__ = ["impatient", "memory", "s3", "s3_server"]

MIRRORED = [
    *("checkpoints/best.ckpt", "checkpoints/last.ckpt"),
    *("complete.json", "config.yaml", "metrics.csv", "provenance.json", "wandb.id"),
]


def step(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["global_step"])


def flip(path: str) -> None:
    store = fsspec.filesystem("memory")
    raw = bytearray(store.cat_file(path))
    raw[len(raw) // 2] ^= 1
    store.pipe_file(path, bytes(raw))


@pytest.fixture(scope="module")
def mirrored_files(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that a run of four steps left on its mirror, without the mark of completion."""
    store = fsspec.filesystem("memory")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("mirrored"))
        mirror = ["--trainer.logger=false", "--run=a", "--mirror.url=memory://bucket"]
        assert main(["fit", *options("recon", dataset), *SHORT, *EXTRA["recon"], *mirror]) == 0
    files = {name: store.cat_file(name) for name in store.find("/bucket") if "complete" not in name}
    store.store.clear()
    return files


@pytest.fixture
def unfinished(mirrored_files: dict[str, bytes], memory: str) -> str:
    """The URL of a mirror with a run of four steps that is not finished and has no local folder."""
    for name, raw in mirrored_files.items():
        fsspec.filesystem("memory").pipe_file(name, raw)
    return memory


def test_a_mirror_holds_the_run_and_no_secret(
    fit: Run, here: Path, dataset: Path, s3: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = fsspec.filesystem("s3")
    for file in dataset.iterdir():
        store.pipe_file(f"{s3}/small/{file.name}", file.read_bytes())
    assert fit("--run=a", f"--mirror.url={s3}/mine", f"--data.path={s3}/small", logger=True) == 0
    run, mirror = here / "runs/recon/a", f"{s3}/mine/recon/a"
    names = [name for name in names_below(mirror) if not name.endswith(".sha256")]
    assert [name for name in names if name != "checkpoints/last-1.ckpt"] == MIRRORED == mirrored(run)
    for name in MIRRORED:
        fetch_verified(f"{mirror}/{name}", here / "back")
        assert (here / "back").read_bytes() == (run / name).read_bytes(), name
    assert step(here / "runs/recon/a/checkpoints/last.ckpt") == 4
    assert not list(run.glob(".mirror/*.upload"))
    assert f"path: {s3}/small" in (run / "config.yaml").read_text()

    # On another machine a finished run is refused, and can be tested by its URL.
    (here / "runs").rename(here / "elsewhere")
    capsys.readouterr()
    assert fit("--run=a", f"--mirror.url={s3}/mine") == 2
    assert f"run {mirror} is finished" in capsys.readouterr().err
    test = ["test", "--config", "recon", f"--data.path={dataset}", "--model.tokenizer.width=16"]
    assert main([*test, f"--ckpt_path={mirror}/checkpoints/best.ckpt", f"--mirror.url={s3}/mine"]) == 0
    assert f"checkpoint: {mirror}/checkpoints/best.ckpt (sha256" in capsys.readouterr().out
    fetch_verified(f"{mirror}/scoreboards/test.json", here / "back")
    assert (here / "back").read_bytes() == (run / "scoreboards/test.json").read_bytes()

    for file in [
        *here.rglob("*.yaml"),
        *here.rglob("*.csv"),
        *here.rglob("*.json"),
        *here.rglob("*.ckpt"),
        *here.rglob("*.wandb"),
    ]:
        for secret in CREDENTIALS.values():
            assert secret.encode() not in file.read_bytes(), file


def test_an_interrupted_run_continues_on_another_machine_with_the_same_weights(
    fit: Run, here: Path, unfinished: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = f"--mirror.url={unfinished}"
    assert fit("--run=b", mirror, "--collapse.on_collapse=stop", "--collapse.patience=1") == 3  # at step 2
    assert "complete.json" not in names_below(f"{unfinished}/recon/b")
    (here / "runs").rename(here / "dead")
    capsys.readouterr()
    assert fit("--run=b", mirror) == 0
    assert "fetched memory://bucket/recon/b, step 2" in capsys.readouterr().out
    for run in "ab":
        fetch_verified(f"{unfinished}/recon/{run}/checkpoints/last.ckpt", here / run)
    straight, resumed = (torch.load(here / run, weights_only=True)["state_dict"] for run in "ab")
    assert step(here / "b") == 4
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    assert "complete.json" in names_below(f"{unfinished}/recon/b")


def test_a_corrupt_checkpoint_on_the_mirror_is_replaced_by_the_one_before(
    here: Path, unfinished: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flip("/bucket/recon/a/checkpoints/last.ckpt")
    flip("/bucket/recon/a/checkpoints/best.ckpt")
    run = here / "runs/recon/a"
    fetch_run(unfinished, run)
    printed = capsys.readouterr().out
    assert "checkpoints/last.ckpt is corrupt" in printed
    assert "using memory://bucket/recon/a/checkpoints/last-1.ckpt, the checkpoint before it" in printed
    assert "best.ckpt is corrupt" in printed
    before = fsspec.filesystem("memory").cat_file("/bucket/recon/a/checkpoints/last-1.ckpt")
    assert (run / "checkpoints/last.ckpt").read_bytes() == before
    assert mirrored(run) == ["checkpoints/last.ckpt", "config.yaml", "provenance.json"]


def test_a_mirror_without_a_complete_checkpoint_is_one_line(here: Path, unfinished: str) -> None:
    for name in ("last", "last-1"):
        flip(f"/bucket/recon/a/checkpoints/{name}.ckpt")
    with pytest.raises(UserError, match=r"last-1.ckpt is corrupt"):
        fetch_run(unfinished, here / "runs/recon/a")


@pytest.mark.parametrize(("local", "wins"), [(3, "mirror"), (5, "local"), (4, "neither")])
def test_the_newer_checkpoint_wins(
    here: Path, unfinished: str, capsys: pytest.CaptureFixture[str], local: int, wins: str
) -> None:
    run = here / "runs/recon/a"
    fetch_run(unfinished, run)
    content = torch.load(run / "checkpoints/last.ckpt", weights_only=True) | {"global_step": local, "here": True}
    torch.save(content, run / "checkpoints/last.ckpt")
    capsys.readouterr()
    fetch_run(unfinished, run)
    printed = capsys.readouterr().out
    kept = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert kept["global_step"] == max(local, 4)
    assert ("here" in kept) == (wins != "mirror")
    assert ("newer" in printed) == (wins != "neither")
    assert not list((run / "checkpoints").glob(".*"))


def test_a_store_that_fails_costs_one_warning_and_not_the_run(
    fit: Run, here: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError("the store is closed")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "pipe_file", closed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert fit("--run=a", f"--mirror.url={memory}", "--mirror.drain_seconds=0.5") == 0
    lines = [str(warning.message) for warning in caught]
    left = [line for line in lines if line.startswith("mirror: not mirrored to memory://bucket/recon/a: ")]
    assert len(left) == 1
    assert "checkpoints/best.ckpt, checkpoints/last.ckpt, config.yaml" in left[0]
    assert "the store is closed" in left[0]
    assert (here / "runs/recon/a/complete.json").is_file()
    assert names_below(memory) == []  # the mark of completion is uploaded last


@pytest.mark.parametrize(("url", "rank_zero"), [(None, True), ("memory://x", False)])
def test_without_a_url_or_on_other_ranks_there_is_no_thread_and_no_folder(
    tmp_path: Path, url: str | None, rank_zero: bool
) -> None:
    trainer: Any = SimpleNamespace(default_root_dir=str(tmp_path), is_global_zero=rank_zero)
    callback = RemoteMirror(url)
    for hook in (callback.setup, callback.teardown):
        hook(trainer, Any, "fit")  # type: ignore[arg-type]
    callback.on_train_batch_end()
    callback.complete()
    assert callback.uploads is None
    assert not list(tmp_path.iterdir())


SECRET = "s3://AKIDKEY:Sec/ret+pw9@bucket/x"


@pytest.mark.parametrize("option", ["--mirror.url", "--data.path", "--ckpt_path", "config"])
def test_a_url_with_credentials_is_refused_and_nowhere_repeated(
    fit: Run, here: Path, capfd: pytest.CaptureFixture[str], option: str
) -> None:
    (here / "mine.yaml").write_text(f"mirror:\n  url: {SECRET}\n")
    assert fit("--run=a", *(["--config", "mine.yaml"] if option == "config" else [f"{option}={SECRET}"])) == 2
    printed = "".join(capfd.readouterr())
    assert printed.splitlines()[-1].startswith("trajvq: a URL with a user, password, token or signature")
    (here / "mine.yaml").unlink()
    for text in [printed, *(file.read_text() for file in here.rglob("*") if file.is_file())]:
        assert not re.search(r"AKIDKEY|ret\+pw9", text)


@pytest.mark.parametrize("option", ["--mirror.url", "--data.path"])
def test_an_unknown_kind_of_url_is_one_line(fit: Run, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert fit("--run=a", f"{option}=ftp://host/x") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("trajvq: URLs of kind 'ftp' are not supported")
