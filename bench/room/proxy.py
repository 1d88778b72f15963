"""A small proxy in front of the product that cuts answers after the server has them, as a bad network does."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import urlsplit

ANSWERS = "/reading/answers/"
# What concerns one connection only is not passed on; each request has a connection of its own on both sides.
OWN = {"connection", "keep-alive", "transfer-encoding", "proxy-connection"}


class Proxy:
    """Forwards everything; of the answers a fixed pseudo-random share loses its reply, some of them twice."""

    def __init__(self, target: str, share: float = 0.4, seed: int = 7) -> None:
        place = urlsplit(target)
        self.host, self.port = place.hostname or "", place.port or 80
        self.share, self.chance = share, Random(seed)
        self.posts: Counter[str] = Counter()
        self.cuts: dict[str, int] = {}
        self.lost = 0
        self.offline = False
        self.before_reply: Callable[[], None] | None = None
        self.lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.forward(self)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def forward(self, client: BaseHTTPRequestHandler) -> None:
        """One request to the product and its reply back, unless this reply is one to cut."""
        client.close_connection = True
        content = client.rfile.read(int(client.headers.get("Content-Length") or 0))
        answer = client.command == "POST" and client.path == ANSWERS
        if answer and self.offline:
            return
        headers = {name: value for name, value in client.headers.items() if name.lower() not in OWN}
        upstream = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            upstream.request(client.command, client.path, content, headers | {"Connection": "close"})
            if answer and (trouble := self._take_trouble()):
                trouble()
            reply = upstream.getresponse()
            received = reply.read()
        except (OSError, http.client.HTTPException):
            return
        finally:
            upstream.close()
        if not (answer and self._is_cut(json.loads(content)["key"])):
            _pass_on(client, reply, received)

    def _take_trouble(self) -> Callable[[], None] | None:
        """What is to happen once, while the server works on an answer."""
        with self.lock:
            trouble, self.before_reply = self.before_reply, None
        return trouble

    def _is_cut(self, key: str) -> bool:
        """Whether this reply is lost: the first of ``share`` of the answers, of a quarter of these the second too."""
        with self.lock:
            if key not in self.cuts:
                self.cuts[key] = (self.chance.random() < self.share) * (1 + (self.chance.random() < 0.25))
            self.posts[key] += 1
            cut = self.posts[key] <= self.cuts[key]
            self.lost += cut
            return cut


def _pass_on(client: BaseHTTPRequestHandler, reply: http.client.HTTPResponse, content: bytes) -> None:
    client.send_response_only(reply.status, reply.reason)
    for name, value in reply.getheaders():
        if name.lower() not in OWN:
            client.send_header(name, value)
    if reply.getheader("Content-Length") is None:
        client.send_header("Content-Length", str(len(content)))
    client.send_header("Connection", "close")
    client.end_headers()
    # A browser that was killed meanwhile wants nothing any more.
    try:
        client.wfile.write(content)
    except OSError:
        return
