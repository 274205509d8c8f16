"""An HTTP proxy that fails on purpose: errors, slow answers and lost connections, at random from a seed.

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
    """Forward requests to a server on this machine, and let a share of them fail.

    ``500`` and ``503`` are answered without the server. ``drop`` closes the connection before the server got the
    request, or after it answered. ``cut`` ends a download half-way and flips a bit of an upload. ``slow`` waits.

    Args:
        target: Host and port of the server.
        rate: Share of the requests that fail.
        seed: Seed of the faults.
        port: Port to listen on; 0 takes a free one.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: str, rate: float, seed: int = 0, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.target, self.rate = target, rate
        self.counts: Counter[str] = Counter()  # requests by fault
        self._random, self._lock = random.Random(seed), threading.Lock()

    @property
    def url(self) -> str:
        """The URL that the proxy listens on."""
        return f"http://127.0.0.1:{self.server_port}"

    def next_fault(self) -> str:
        """Return the fault of the next request, or ``none``."""
        with self._lock:
            fault = self._random.choice(FAULTS) if self._random.random() < self.rate else "none"
            self.counts[fault] += 1
            return fault

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: clients are expected to hang up."""

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
        fault = self.server.next_fault()
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
        """Print nothing."""


def main() -> None:
    """Serve until SIGTERM, then print the number of requests by fault."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    proxy = FaultyProxy(args.target, args.rate, args.seed, args.port)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=proxy.shutdown).start())
    proxy.serve_forever()
    print(dict(proxy.counts), flush=True)


if __name__ == "__main__":
    main()
