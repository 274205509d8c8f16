"""SpotInterruption: end a run cleanly when EC2 is about to take its machine away."""

import http.client
import json
import os
import signal
import threading
import urllib.error
import urllib.request
from typing import Any

import lightning as L

ENDPOINT = "http://169.254.169.254"  # of every EC2 machine; AWS_EC2_METADATA_SERVICE_ENDPOINT names another
TOKEN_SECONDS = 21600


class SpotInterruption(L.Callback):
    """Asks the instance metadata service (IMDSv2) for a notice; a notice is a SIGTERM that comes early.

    So the step in flight is saved and the run ends within seconds of the two minutes that EC2 gives. A
    recommendation to rebalance, which may come earlier, is said once, and ends the run only if told to.
    Away from EC2 the first question has no answer and no more are asked.

    Args:
        every_seconds: Seconds between two questions.
        stop_on_rebalance: End the run on a recommendation to rebalance, too.
    """

    def __init__(self, every_seconds: float = 5, stop_on_rebalance: bool = False) -> None:
        self.every_seconds, self.stop_on_rebalance = every_seconds, stop_on_rebalance
        self.endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", ENDPOINT).rstrip("/")
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.local_rank == 0:  # one question a machine
            self._ended.clear()
            self._thread = threading.Thread(target=self._watch, name="spot", daemon=True)
            self._thread.start()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._ended.set()

    def _watch(self) -> None:
        try:
            token: str | None = self._token()
        except (OSError, http.client.HTTPException):
            return  # no EC2
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
                    print(f"EC2 recommends to leave this machine (noticed {rebalance['noticeTime']})", flush=True)
                    if self.stop_on_rebalance:
                        self._stop("leaving it")
                        return
            except PermissionError:
                token = None  # it had run out
                continue
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                print(f"EC2's metadata service did not answer ({error}); asking again", flush=True)
            self._ended.wait(self.every_seconds)

    def _stop(self, why: str) -> None:
        print(f"{why}: saving and ending", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def _token(self) -> str:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        request = urllib.request.Request(f"{self.endpoint}/latest/api/token", method="PUT", headers=headers)
        with _open(request) as answer:
            token: str = answer.read().decode()
        return token

    def _ask(self, what: str, token: str) -> dict[str, Any] | None:
        headers = {"X-aws-ec2-metadata-token": token}
        request = urllib.request.Request(f"{self.endpoint}/latest/meta-data/{what}", headers=headers)
        try:
            with _open(request) as answer:
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None  # no notice
            if error.code == 401:
                raise PermissionError("the token has run out") from None
            raise
        return found


def _open(request: urllib.request.Request) -> Any:
    # The service is on the machine: a proxy must not be asked for it.
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=2)
