"""A small HTTP proxy that fails on purpose: errors, slow answers and lost connections, drawn from a seed.

python -m tests.faults --port 9001 --target 127.0.0.1:9000 --rate 0.1 --seed 0
"""

import argparse
import http.client
import random
import signal
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("500", "503", "slow", "drop", "cut")
SLOW = 0.1  # seconds


class FaultyProxy(ThreadingHTTPServer):
    """Forwards to a server on this machine, and fails a share of the requests.

    ``500`` and ``503`` are answered without asking the server; ``drop`` closes the connection before it is asked,
    or after, so that the work was done and nobody knows; ``cut`` breaks off the answer half-way, or where it has no
    body flips a bit of what is uploaded; ``slow`` waits.

    Args:
        target: Host and port of the server.
        rate: Share of the requests that fail.
        seed: Seed of the faults.
        port: Port; 0 takes a free one.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: str, rate: float, seed: int = 0, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.target, self.rate = target, rate
        self.seen: Counter[str] = Counter()
        self._draws, self._lock = random.Random(seed), threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def draw(self) -> str:
        """Draw the fate of a request."""
        with self._lock:
            fault = self._draws.choice(FAULTS) if self._draws.random() < self.rate else "none"
            self.seen[fault] += 1
            return fault

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are expected here."""

    def __enter__(self) -> "FaultyProxy":
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultyProxy

    def _forward(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = bytearray(self.rfile.read(length))
        fault = self.server.draw()
        if fault in ("500", "503"):
            self.send_error(int(fault))
            return
        if fault == "slow":
            threading.Event().wait(SLOW)
        if fault == "drop" and length % 2:
            self._hang_up()
            return
        if fault == "cut" and self.command == "PUT" and body:
            body[len(body) // 2] ^= 1
        upstream = http.client.HTTPConnection(self.server.target, timeout=30)
        upstream.request(self.command, self.path, bytes(body), dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        if fault == "drop":
            self._hang_up()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(content)))
        self.end_headers()
        if fault == "cut" and self.command == "GET":
            self.wfile.write(content[: len(content) // 2])
            self._hang_up()
            return
        self.wfile.write(content)
        upstream.close()

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _forward

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def main() -> None:
    """Serve until the process is ended, and print what was done to how many requests at the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    proxy = FaultyProxy(asked.target, asked.rate, asked.seed, asked.port)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=proxy.shutdown).start())
    proxy.serve_forever()
    print(dict(proxy.seen), flush=True)


if __name__ == "__main__":
    main()
