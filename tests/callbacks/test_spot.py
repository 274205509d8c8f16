"""A notice from the metadata service ends a run like SIGTERM; where there is no service, nothing happens."""

import http.server
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import Run
from trajvq.callbacks import SpotInterruption

NOTICE = {"action": "terminate", "time": "2026-01-02T03:04:05Z"}
REBALANCE = {"noticeTime": "2026-01-02T03:00:00Z"}


class Service(http.server.ThreadingHTTPServer):
    """The part of EC2's metadata service that spot machines ask: tokens that run out, and notices from a time on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.questions: list[str] = []
        self.tokens = 0
        self.answers: dict[str, Any] = {}
        self.after = 0  # questions that are answered with 404 first
        self.lifetime = 10**9  # questions that a token is good for


class Handler(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_PUT(self) -> None:
        self.server.tokens += 1
        assert self.path == "/latest/api/token"
        assert int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600
        self.answer(200, f"token-{self.server.tokens}")

    def do_GET(self) -> None:
        self.server.questions.append(self.path)
        if len(self.server.questions) > self.server.lifetime * self.server.tokens:
            self.answer(401, "")
        elif len(self.server.questions) > self.server.after and self.path in self.server.answers:
            self.answer(200, json.dumps(self.server.answers[self.path]))
        else:
            self.answer(404, "")

    def answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[int]]]:
    """Watch until the thread has ended, or for a number of questions; returns the signals received."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))

    def run(service: Service | None, questions: int = 10**9, **settings: Any) -> list[int]:
        spot = SpotInterruption(every_seconds=0.01, **settings)
        spot.on_train_start(SimpleNamespace(local_rank=0), None)  # type: ignore[arg-type]
        assert spot._thread is not None
        ends = time.monotonic() + 20
        while spot._thread.is_alive() and time.monotonic() < ends:
            if service is not None and len(service.questions) >= questions:
                break
            spot._thread.join(0.01)
        spot.teardown(None, None, "fit")  # type: ignore[arg-type]
        spot._thread.join(10)
        assert not spot._thread.is_alive()
        return received

    yield run
    signal.signal(signal.SIGTERM, before)


def test_a_notice_is_a_sigterm(
    service: Service, watch: Callable[..., list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    service.answers, service.after = {"/latest/meta-data/spot/instance-action": NOTICE}, 5
    assert watch(service) == [signal.SIGTERM]
    assert "EC2 will terminate this machine at 2026-01-02T03:04:05Z" in capsys.readouterr().out
    assert service.tokens == 1


def test_no_notice_is_no_stop(service: Service, watch: Callable[..., list[int]]) -> None:
    assert watch(service, questions=20) == []


def test_a_token_that_ran_out_is_renewed(service: Service, watch: Callable[..., list[int]]) -> None:
    service.answers, service.after, service.lifetime = {"/latest/meta-data/spot/instance-action": NOTICE}, 9, 4
    assert watch(service) == [signal.SIGTERM]
    assert service.tokens > 1


@pytest.mark.parametrize(("stop", "signals"), [(False, []), (True, [signal.SIGTERM])])
def test_a_recommendation_stops_only_if_told_to(
    service: Service,
    watch: Callable[..., list[int]],
    capsys: pytest.CaptureFixture[str],
    stop: bool,
    signals: list[int],
) -> None:
    service.answers = {"/latest/meta-data/events/recommendations/rebalance": REBALANCE}
    assert watch(service, questions=20, stop_on_rebalance=stop) == signals
    assert capsys.readouterr().out.count("EC2 recommends to leave this machine") == 1


def test_away_from_ec2_no_more_is_asked(
    monkeypatch: pytest.MonkeyPatch, watch: Callable[..., list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")  # nobody listens there
    assert watch(None) == []
    assert capsys.readouterr().out == ""


def test_a_run_with_the_ec2_config_ends_on_a_notice_and_goes_on(service: Service, fit: Run) -> None:
    ec2 = ["--run=a", "--config=trainer/ec2", "--trainer.accelerator=cpu", "--trainer.devices=1"]
    service.answers = {"/latest/meta-data/spot/instance-action": NOTICE}
    assert fit(*ec2, "--trainer.max_steps=100000", "--trainer.val_check_interval=100000") == 128 + signal.SIGTERM
    service.answers = {}
    assert fit(*ec2) == 0
