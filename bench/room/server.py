"""A small static server for the browser benches: the product's scripts, the prototype pages, one bundle, raw slices."""

from __future__ import annotations

import functools
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench.cornerstone.build import BUNDLE
from tests.browser.viewer.fake_room import slice_of

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"static": ROOT / "static", "pages": ROOT / "bench" / "room" / "pages"}
SIZE = 512


@functools.cache
def frame(number: int) -> bytes:
    return slice_of(number, SIZE, SIZE).tobytes()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        first, _, rest = path.partition("/")
        if first == "frames":
            self.reply(frame(int(rest)), "application/octet-stream", "no-store")
        elif path == "cornerstone.js":
            self.file(BUNDLE)
        elif first in FOLDERS:
            file = (FOLDERS[first] / rest).resolve()
            self.file(file if file.is_relative_to(FOLDERS[first]) else None)
        else:
            self.reply(b"", "text/plain", "no-store", 404)

    def file(self, path: Path | None) -> None:
        if path is None or not path.is_file():
            return self.reply(b"", "text/plain", "no-store", 404)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        # Scripts are kept as in production, so that a second visit is a warm one.
        return self.reply(path.read_bytes(), kind, "max-age=600" if path.suffix == ".js" else "no-store")

    def reply(self, body: bytes, kind: str, caching: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", caching)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[str]:
    """The address of the server on a free port, until the block ends."""
    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
