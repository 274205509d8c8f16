"""W&B obeys its environment, and a server that does not answer never ends a training."""

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from lightning.fabric.loggers.logger import _DummyExperiment as DummyExperiment

from tests.wandb_file import records
from trajvq.errors import UserError
from trajvq.runs import wandb_runs
from trajvq.runs.wandb_runs import WANDB_ID, Wandb, finish_wandb, surviving, wandb_disabled, wandb_logger


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment with a key, and a short patience. W&B reads its environment again after a teardown."""
    wandb.teardown()
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(wandb_runs, "ANSWER_SECONDS", 0.2)
    yield
    finish_wandb()
    wandb.teardown()


class Refusing(http.server.BaseHTTPRequestHandler):
    """A server that answers every request with its ``status``."""

    status = 404

    def do_GET(self) -> None:
        self.send_error(self.status)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@pytest.fixture(params=["nobody listens", "it never answers", "it is broken", "its name is unknown"])
def unreachable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server that cannot be used."""
    monkeypatch.setattr(Refusing, "status", 503)
    broken = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=broken.serve_forever, daemon=True).start()
    with socket.socket() as silent, broken:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = {
            "nobody listens": "http://127.0.0.1:9",
            "it never answers": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "it is broken": f"http://127.0.0.1:{broken.server_port}",
            "its name is unknown": "http://wandb.invalid",
        }[request.param]
        monkeypatch.setenv("WANDB_BASE_URL", url)
        yield url
        broken.shutdown()


def test_a_server_that_does_not_answer_means_offline(
    unreachable: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = Wandb(tmp_path, "recon")
    assert logger.experiment is logger.experiment
    printed = capsys.readouterr().out
    assert printed.startswith(f"W&B is offline ({unreachable} ")
    assert printed.rstrip().endswith(f"upload the run with `wandb sync {tmp_path}/wandb/offline-*`")
    assert printed.count("\n") == 1


def test_a_server_that_refuses_the_run_means_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    modes = []

    def init(**settings: Any) -> Any:
        modes.append(settings["mode"])
        if settings["mode"] != "offline":
            raise wandb.errors.CommError("the key is unknown\nsecond line")
        return Broken(threading.Event())

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr(wandb_runs, "ANSWER_SECONDS", 5.0)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        logger = Wandb(tmp_path, "recon")
        assert capsys.readouterr().out == ""  # a server that answers, whatever it answers
        assert logger.experiment is logger.experiment
        server.shutdown()
    assert modes == ["online", "offline"]
    assert "W&B is offline (the key is unknown)" in capsys.readouterr().out


def test_settings_of_the_environment_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {
        "WANDB_MODE": "dryrun",  # the old name of offline
        "WANDB_PROJECT": "my-paper",
        "WANDB_RUN_GROUP": "g1",
        "WANDB_NAME": "first",
        "WANDB_RUN_ID": "abc123",
        "WANDB_ENTITY": "team",
        "WANDB_TAGS": "a,b",
        "WANDB_NOTES": "none",
        "WANDB_DIR": str(tmp_path / "elsewhere"),
    }
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    logger = Wandb(tmp_path / "run", "recon")
    logger.log_metrics({"val/skill": 0.5})
    finish_wandb()
    (file,) = (tmp_path / "elsewhere" / "wandb").glob("offline-run-*/*.wandb")
    run = next(record.run for record in records(file) if record.WhichOneof("record_type") == "run")
    assert (run.project, run.run_group, run.display_name, run.run_id) == ("my-paper", "g1", "first", "abc123")
    assert (run.entity, list(run.tags), run.notes) == ("team", ["a", "b"], "none")
    assert (tmp_path / "run" / WANDB_ID).read_text() == "abc123"
    assert not (tmp_path / "run" / "wandb").exists()


@pytest.mark.parametrize("value", ["true", "True", "1", "yes"])
def test_wandb_can_be_turned_off_the_old_way(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert not wandb_disabled()
    monkeypatch.setenv("WANDB_DISABLED", value)
    assert wandb_disabled()


def test_an_unknown_mode_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "of")
    with pytest.raises(UserError, match="WANDB_MODE is 'of'; set it to online, offline or disabled"):
        wandb_logger(tmp_path, "recon")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WANDB_RUN_ID", "a/b c"),
        ("WANDB_PROJECT", "a/b:c"),
        ("WANDB_RESUME", "true"),
        ("WANDB_BASE_URL", "notaurl"),
        ("WANDB_INIT_TIMEOUT", "abc"),
    ],
)
def test_a_setting_that_wandb_refuses_is_named_and_turns_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv(name, value)
    assert wandb_logger(tmp_path, "recon") == []
    printed = capsys.readouterr().out
    assert printed.startswith(f"W&B is off ({name}: ")
    assert printed.count("\n") == 1
    assert not (tmp_path / WANDB_ID).exists()  # or the next start would use it again


def test_a_key_that_wandb_refuses_means_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "short")
    (logger,) = wandb_logger(tmp_path, "recon")
    assert Path(logger.experiment.dir).is_relative_to(tmp_path)
    assert capsys.readouterr().out.startswith("W&B is offline (WANDB_API_KEY invalid: ")


def test_an_old_id_that_wandb_refuses_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / WANDB_ID).write_text("a/b")
    (logger,) = wandb_logger(tmp_path, "recon")
    assert isinstance(logger.experiment, DummyExperiment)
    assert capsys.readouterr().out.startswith("W&B failed (Run ID cannot contain ")


@pytest.mark.parametrize(("value", "mode"), [("", "online"), ("OFFLINE", "offline"), (" offline ", "offline")])
def test_a_mode_may_be_empty_and_in_capitals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, mode: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", value)
    monkeypatch.setattr(wandb_runs, "_unreachable", lambda _: "")
    (logger,) = wandb_logger(tmp_path, "recon")
    assert logger._wandb_init["mode"] == mode
    monkeypatch.setenv("WANDB_MODE", " DISABLED")
    assert wandb_logger(tmp_path, "recon") == []


def test_the_folder_that_wandb_chose_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Broken(threading.Event())
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    assert Wandb(tmp_path, "recon").experiment is run
    assert "upload the run with `wandb sync run/wandb/offline-*`" in capsys.readouterr().out


class Broken:
    """A W&B run whose process is gone."""

    dir = "run/wandb/offline-run-1/files"

    def __init__(self, end: threading.Event) -> None:
        self.calls, self.end = 0, end

    def log(self, *_: Any) -> None:
        self.calls += 1
        raise BrokenPipeError("the service is gone")

    def finish(self) -> None:
        self.end.wait()
        raise BrokenPipeError("the service is gone")


def test_an_error_of_wandb_is_said_once_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = Broken(threading.Event())
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    logger = Wandb(tmp_path, "recon")
    for _ in range(2):
        logger.log_metrics({"val/skill": 0.5}, step=1)
    with surviving(logger):
        logger.experiment.log({"codes/perplexity": 3})
    assert run.calls == 1
    assert capsys.readouterr().out.count("W&B failed (the service is gone); the run goes on without it") == 1


def test_the_end_of_a_run_waits_for_wandb_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end = threading.Event()
    monkeypatch.setattr(wandb, "run", Broken(end))
    monkeypatch.setattr(wandb_runs, "FINISH_SECONDS", 0.1)
    finish_wandb()
    assert "W&B has not taken all of the run within 0.1 s" in capsys.readouterr().out
    end.set()
    monkeypatch.setattr(wandb_runs, "FINISH_SECONDS", 20.0)
    finish_wandb()
    assert "W&B failed at the end of the run (the service is gone)" in capsys.readouterr().out
