"""A real S3 server, versitygw, and a proxy before it that counts requests, refuses, delays and cuts them."""

import http.client
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY, SECRET = "openroots", "openroots-secret"
TOOLS = Path(__file__).parents[1] / "build" / "clusters" / "bin"
"""Where `make clusters` puts what it fetches."""


def versitygw() -> str | None:
    """The server's program, if it is installed."""
    return shutil.which("versitygw", path=os.pathsep.join([os.environ.get("PATH", ""), str(TOOLS)]))


class S3Server:
    """A server over a folder; `stop` and `start` as often as wanted."""

    def __init__(self, folder: Path, program: str | None = None) -> None:
        self.folder, self.port, self._program = folder, _free_port(), program or versitygw()
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        assert self._program, "versitygw is not installed"
        self._process = subprocess.Popen(
            [self._program, "--port", f"127.0.0.1:{self.port}", "--quiet", "posix", str(self.folder)],
            env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        raise RuntimeError("versitygw does not answer")

    def stop(self) -> None:
        """Kill it."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def make_bucket(self, name: str) -> None:
        """A bucket is a folder."""
        (self.folder / name).mkdir()


class _Quiet(ThreadingHTTPServer):
    """Clients that are killed cut their connections: that is what the tests do to them, and no news."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Proxy:
    """Before a server. What goes wrong is set by its attributes, at any time.

    away           connections are refused
    busy           share of requests that are answered with 503
    cut            share of answers to GET that end half-way
    delay          seconds that each request takes longer
    """

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.away, self.busy, self.cut, self.delay = False, 0.0, 0.0, 0.0
        self.requests: Counter[str] = Counter()
        self.paths: Counter[tuple[str, str]] = Counter()
        self.bytes_sent = 0
        self._random = random.Random(0)
        self._server = _Quiet(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def chance(self, share: float) -> bool:
        """Whether this one is hit."""
        return share > 0 and self._random.random() < share

    def environment(self) -> dict[str, str]:
        """What a client needs to come through here."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
        }

    def reset(self) -> None:
        """Forget what was counted."""
        self.requests.clear()
        self.paths.clear()
        self.bytes_sent = 0

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            if proxy.away:
                self.close_connection = True
                self.connection.close()
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            kind = _kind(self.command, self.path)
            proxy.requests[kind] += 1
            parts = urlsplit(self.path)
            below = parse_qs(parts.query).get("prefix", [""])[0] if kind == "LIST" else ""
            proxy.paths[kind, f"{parts.path}/{below}" if below else parts.path] += 1
            if proxy.delay:
                time.sleep(proxy.delay)
            if proxy.chance(proxy.busy):
                self._send(503, [], b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>")
                return
            try:
                upstream = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
                upstream.request(self.command, self.path, body, headers)
                reply = upstream.getresponse()
                data = reply.read()
            except (OSError, http.client.HTTPException):
                self.close_connection = True
                self.connection.close()
                return
            proxy.bytes_sent += len(data)
            cut = self.command == "GET" and proxy.chance(proxy.cut)
            self._send(reply.status, reply.getheaders(), data, cut=cut)
            upstream.close()

        def _send(self, status: int, headers: list[tuple[str, str]], data: bytes, *, cut: bool = False) -> None:
            self.send_response_only(status)
            length = str(len(data))
            for name, value in headers:
                if name.lower() == "content-length":
                    length = value  # of HEAD, that of what is not sent
                elif name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815

    return Handler


def _kind(method: str, path: str) -> str:
    query = parse_qs(urlsplit(path).query, keep_blank_values=True)
    return "LIST" if method == "GET" and {"list-type", "uploads", "prefix"} & set(query) else method


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def store(folder: Path, bucket: str = "bucket", program: str | None = None) -> Iterator[tuple[S3Server, Proxy]]:
    """A server with a bucket, and the proxy before it; both are gone afterwards."""
    server = S3Server(folder, program)
    server.start()
    proxy = Proxy(server.port)
    server.make_bucket(bucket)
    try:
        yield server, proxy
    finally:
        proxy.close()
        server.stop()
