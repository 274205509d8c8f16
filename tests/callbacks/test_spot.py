"""A notice of the metadata service ends a run like SIGTERM; without the service nothing happens."""

import http.server
import json
import signal
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import Run
from trajvq.callbacks import SpotInterruption

NOTICE = {"action": "terminate", "time": "2026-01-02T03:04:05Z"}
REBALANCE = {"noticeTime": "2026-01-02T03:00:00Z"}
DEADLINE = 20  # seconds


class Service(http.server.ThreadingHTTPServer):
    """The part of EC2's metadata service that spot machines read: tokens that expire, and notices."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = 0
        self.tokens = 0
        self.answers: dict[str, Any] = {}  # by path
        self.after = 0  # requests that get 404 before the answers
        self.lifetime = 10**9  # requests that a token is good for
        self.changed = threading.Condition()

    def wait_for_requests(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.requests >= count, DEADLINE)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_PUT(self) -> None:
        self.server.tokens += 1
        assert self.path == "/latest/api/token"
        assert int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600
        self.answer(200, f"token-{self.server.tokens}")

    def do_GET(self) -> None:
        with self.server.changed:
            self.server.requests += 1
            self.server.changed.notify_all()
        if self.server.requests > self.server.lifetime * self.server.tokens:
            self.answer(401, "")
        elif self.server.requests > self.server.after and self.path in self.server.answers:
            self.answer(200, json.dumps(self.server.answers[self.path]))
        else:
            self.answer(404, "")

    def answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


def join() -> None:
    """Wait for the end of the thread that polls the service."""
    for thread in threading.enumerate():
        if thread.name == "spot":
            thread.join(DEADLINE)
            assert not thread.is_alive()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[int]]]:
    """Poll until the callback itself ends, or for a number of requests; returns the signals received."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))

    def run(service: Service | None = None, requests: int | None = None, **settings: Any) -> list[int]:
        spot = SpotInterruption(every_seconds=0.01, **settings)
        spot.on_train_start(SimpleNamespace(local_rank=0), None)  # type: ignore[arg-type]
        if service is not None and requests is not None:
            service.wait_for_requests(requests)
        else:
            join()
        spot.teardown(None, None, "fit")  # type: ignore[arg-type]
        join()
        return received

    yield run
    signal.signal(signal.SIGTERM, before)


def test_a_notice_is_a_sigterm(
    service: Service, watch: Callable[..., list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    service.answers, service.after = {"/latest/meta-data/spot/instance-action": NOTICE}, 5
    assert watch() == [signal.SIGTERM]
    assert "EC2 will terminate this machine at 2026-01-02T03:04:05Z" in capsys.readouterr().out
    assert service.tokens == 1


def test_no_notice_is_no_stop(service: Service, watch: Callable[..., list[int]]) -> None:
    assert watch(service, requests=20) == []


def test_an_expired_token_is_renewed(service: Service, watch: Callable[..., list[int]]) -> None:
    service.answers, service.after, service.lifetime = {"/latest/meta-data/spot/instance-action": NOTICE}, 9, 4
    assert watch() == [signal.SIGTERM]
    assert service.tokens > 1


def test_a_recommendation_stops_a_run_only_on_demand(
    service: Service, watch: Callable[..., list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    service.answers = {"/latest/meta-data/events/recommendations/rebalance": REBALANCE}
    assert watch(service, requests=20) == []
    assert capsys.readouterr().out.count("EC2 recommends leaving this machine") == 1
    assert watch(stop_on_rebalance=True) == [signal.SIGTERM]
    assert capsys.readouterr().out.count("EC2 recommends leaving this machine") == 1


def test_away_from_ec2_there_is_a_single_request(
    monkeypatch: pytest.MonkeyPatch, watch: Callable[..., list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")  # nothing listens there
    assert watch() == []
    assert capsys.readouterr().out == ""


def test_a_run_with_the_ec2_config_ends_on_a_notice_and_goes_on(service: Service, fit: Run) -> None:
    ec2 = ["--run=a", "--config=trainer/ec2", "--trainer.accelerator=cpu", "--trainer.devices=1"]
    service.answers = {"/latest/meta-data/spot/instance-action": NOTICE}
    assert fit(*ec2, "--trainer.max_steps=100000", "--trainer.val_check_interval=100000") == 128 + signal.SIGTERM
    service.answers = {}
    assert fit(*ec2) == 0
