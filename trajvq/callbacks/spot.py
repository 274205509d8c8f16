"""SpotInterruption: end a run cleanly before EC2 reclaims its spot machine."""

import http.client
import json
import os
import signal
import threading
import urllib.error
import urllib.request
from typing import Any

import lightning as L

ENDPOINT = "http://169.254.169.254"  # on every EC2 machine; AWS_EC2_METADATA_SERVICE_ENDPOINT overrides it
TOKEN_SECONDS = 21600


class SpotInterruption(L.Callback):
    """Poll the instance metadata service (IMDSv2) and turn an interruption notice into SIGTERM.

    EC2 gives notice two minutes ahead. The run finishes the current step, saves and ends within seconds. A
    recommendation to rebalance, which may come earlier, is printed once and ends the run only with
    ``stop_on_rebalance``. On a machine outside EC2 the first request fails and no other follows.

    Args:
        every_seconds: Seconds between two requests.
        stop_on_rebalance: Whether a recommendation to rebalance ends the run.
    """

    def __init__(self, every_seconds: float = 5, stop_on_rebalance: bool = False) -> None:
        self.every_seconds, self.stop_on_rebalance = every_seconds, stop_on_rebalance
        self.endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", ENDPOINT).rstrip("/")
        self._ended = threading.Event()
        self.thread: threading.Thread | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.local_rank == 0:  # one process of each machine
            self._ended.clear()
            self.thread = threading.Thread(target=self._watch, name="spot", daemon=True)
            self.thread.start()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._ended.set()

    def _watch(self) -> None:
        try:
            token: str | None = self._token()
        except (OSError, http.client.HTTPException):
            return  # not on EC2
        warned = False
        while not self._ended.is_set():
            try:
                token = token or self._token()
                notice = self._ask("spot/instance-action", token)
                if notice:
                    self._stop(f"EC2 will {notice['action']} this machine at {notice['time']}")
                    return
                rebalance = None if warned else self._ask("events/recommendations/rebalance", token)
                if rebalance:
                    warned = True
                    print(f"EC2 recommends leaving this machine (notice of {rebalance['noticeTime']})", flush=True)
                    if self.stop_on_rebalance:
                        self._stop("leaving this machine")
                        return
            except PermissionError:
                token = None  # it has expired
                continue
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                print(f"EC2's metadata service did not answer ({error}); retrying", flush=True)
            self._ended.wait(self.every_seconds)

    def _stop(self, reason: str) -> None:
        print(f"{reason}: saving and ending", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def _token(self) -> str:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        request = urllib.request.Request(f"{self.endpoint}/latest/api/token", method="PUT", headers=headers)
        with _open(request) as answer:
            token: str = answer.read().decode()
        return token

    def _ask(self, item: str, token: str) -> dict[str, Any] | None:
        headers = {"X-aws-ec2-metadata-token": token}
        request = urllib.request.Request(f"{self.endpoint}/latest/meta-data/{item}", headers=headers)
        try:
            with _open(request) as answer:
                notice: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None  # no notice
            if error.code == 401:
                raise PermissionError("the token has expired") from None
            raise
        return notice


def _open(request: urllib.request.Request) -> Any:
    # The service runs on the machine itself, which no proxy can reach.
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=2)
