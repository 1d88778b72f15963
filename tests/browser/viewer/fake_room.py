"""A small reading server for the browser's side: the real page and scripts, the contract, trouble on demand."""

from __future__ import annotations

import json
import mimetypes
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from django.template.loader import render_to_string

from readerstudy.staticfiles import without_comments

STATIC = Path(__file__).parents[3] / "static"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
TEXTS = {"1": "not usable", "2": "poor", "3": "fair", "4": "good", "5": "excellent"}
OVERALL = {"key": "overall", "title": "Image quality", "question": "How good is this image?", "texts": TEXTS}
NOISE = {"key": "noise", "title": "Noise", "question": "How little noise is there?", "texts": TEXTS}
CHEST = {"name": "Chest", "center": -600, "width": 1500}
BONE = {"name": "Bone", "center": 400, "width": 1800}


def slice_of(number: int, rows: int = 96, columns: int = 128) -> np.ndarray:
    """A CT-like slice of stored values (HU + 1024): body, lungs, bone and a texture that differs per number."""
    y, x = np.mgrid[0:rows, 0:columns]
    u, v = (x - columns / 2) / (columns / 2), (y - rows / 2) / (rows / 2)
    image = np.where(u**2 / 0.81 + v**2 / 0.7 < 1, 1060.0, 0.0)
    for side in (-0.4, 0.4):
        image[(u - side) ** 2 / 0.07 + v**2 / 0.25 < 1] = 180
    image[u**2 + (v - 0.55) ** 2 < 0.02] = 1700
    noise = np.random.default_rng(number).normal(0, 25, image.shape)
    return np.clip(np.round(image + noise), 0, 4095).astype("<u2")


@dataclass
class FakeRoom:
    """The server's memory, and the switches with which a test makes trouble."""

    count: int = 6
    criteria: list[dict[str, Any]] = field(default_factory=lambda: [OVERALL])
    display: dict[str, Any] = field(default_factory=dict)
    mode: str = "scores"
    labels: list[str] = field(default_factory=lambda: ["artefact", "noise", "blur", "finding"])
    fidelity: int = 0
    panes: int = 1
    reference: int | None = None
    context: int = 0
    rows: int = 96
    columns: int = 128
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    marks: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    posts: int = 0
    duplicates: int = 0
    cut_every: int = 0
    signed_out: bool = False
    down: bool = False
    deaf: bool = False
    closed: str = ""
    short_frames: int = 0
    frames: list[str] = field(default_factory=list)
    token: str = "first-token"
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def items(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"id{n}", "position": n + 1, "panes": [self.stack(n, p) for p in range(self.panes)],
                "reference": self.reference, "rows": self.rows, "columns": self.columns, "spacing": [0.7, 0.7],
                "modality": "CT", "slope": 1, "intercept": -1024, "window": {"center": 40, "width": 400},
                "inverted": False, "scores": {} if self.mode == "fidelity" else self.stored.get(f"id{n}", {}),
                "comment": "", "marks": list(self.marks.get(f"id{n}", {}).values()), "grade": 1 + n % 5,
                "compared": self.mode == "fidelity" and f"id{n}" in self.stored,
            }
            for n in range(self.count)
        ]  # fmt: skip

    def stack(self, number: int, pane: int) -> list[dict[str, Any]]:
        """The slice itself first, then its neighbours."""
        offsets = [0, *(offset for offset in range(-self.context, self.context + 1) if offset)]
        return [{"url": f"/reading/p/id{number}/{pane}/{i}/", "offset": offset} for i, offset in enumerate(offsets)]

    def page(self) -> str:
        display = {
            "interpolation": "smooth", "window": "free", "zoom": "free", "dark_interval_ms": 0, "back": 1,
            "too_fast_ms": 500, "break_after_minutes": 30, "pixel_statistics": False,
        }  # fmt: skip
        urls = {
            "answer": "/reading/answers/", "finish": "/reading/T/finish/", "worklist": "/reading/",
            "csrf": "/reading/csrf/", "login": "/accounts/login/", "compare": "/reading/T/compare/",
        }  # fmt: skip
        room = {
            "mode": self.mode, "session": {"number": 1, "of": 4, "total": self.count}, "items": self.items(),
            "criteria": [] if self.mode == "fidelity" else self.criteria, "display": display | self.display,
            "presets": {"CT": [CHEST, BONE]}, "labels": self.labels, "fidelity": self.fidelity, "urls": urls,
            "simulated": False, "reader": "R1",
        }  # fmt: skip
        return render_to_string("reading/room.html", {"room": room, "demo": True, "csrf_token": self.token})

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The contract of the answers' address, as the real server keeps it."""
        key, presentation = body["key"], body["presentation"]
        if key in self.keys:
            self.duplicates += 1
            return 200, {"key": key, "stored": True, "duplicate": True}
        if self.closed:
            return 423, {"error": self.closed}
        if mark := body.get("mark"):
            return self.mark(key, presentation, mark)
        live = self.stored.get(presentation)
        if live is not None and live != body["answers"] and not body["replaces"]:
            return 409, {"error": "Another score is stored.", "stored": live}
        self.keys[key] = body
        self.stored[presentation] = body["answers"]
        return 200, {"key": key, "stored": True, "duplicate": False}

    def mark(self, key: str, presentation: str, mark: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        known = self.marks.setdefault(presentation, {})
        live = known.get(mark["id"])
        if mark["revision"] != (live["revision"] if live else 0) + 1:
            return 409, {"error": "This mark was changed elsewhere.", "stored": live or {}}
        self.keys[key] = {"presentation": presentation, "mark": mark}
        known[mark["id"]] = mark
        return 200, {"key": key, "stored": True, "duplicate": False}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    room: FakeRoom

    def do_GET(self) -> None:
        path, room = self.path.partition("?")[0], self.room
        if room.down:
            return self.drop()
        if path.startswith("/static/"):
            return self.static(STATIC / path.removeprefix("/static/"))
        if path == "/reading/T/":
            return self.reply(200, room.page().encode(), "text/html; charset=utf-8")
        if path == "/blank/":
            return self.reply(200, b"<!doctype html><html lang=en><title>blank</title>", "text/html; charset=utf-8")
        if path == "/reading/csrf/":
            return self.json(200, {"token": room.token, "signed_in": not room.signed_out})
        if path.startswith("/reading/p/"):
            return self.frame(path)
        return self.reply(200, b"<!doctype html><title>elsewhere</title>", "text/html; charset=utf-8")

    def static(self, file: Path) -> None:
        """A file as an installation serves it: scripts without their comments."""
        if not file.is_file():
            return self.reply(404, b"", "text/plain")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        body = file.read_bytes()
        return self.reply(200, without_comments(body.decode()).encode() if file.suffix == ".js" else body, kind)

    def frame(self, path: str) -> None:
        room, name, pane, index = self.room, *path.split("/")[3:6]
        if room.signed_out:
            return self.json(401, {"error": "Sign in again."})
        with room.lock:
            room.frames.append(name)
            short = room.short_frames > 0
            room.short_frames -= short
        seed = int(name[2:]) + 1000 * int(pane) + 100 * int(index)
        raw = slice_of(seed, room.rows, room.columns).tobytes()
        return self.reply(200, raw[:-2] if short else raw, "application/octet-stream")

    def do_POST(self) -> None:
        room = self.room
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if room.down or room.deaf:
            return self.drop()
        if room.signed_out:
            return self.json(401, {"error": "Sign in again."})
        if self.headers["X-CSRFToken"] != room.token:
            return self.json(403, {"error": "The token is old."})
        with room.lock:
            room.posts += 1
            status, reply = room.answer(body)
            cut = room.cut_every and room.posts % room.cut_every == 0
        return self.drop() if cut else self.json(status, reply)

    def drop(self) -> None:
        """The answer is cut: whatever was stored, the browser doesn't hear of it."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def json(self, status: int, data: dict[str, Any]) -> None:
        self.reply(status, json.dumps(data).encode(), "application/json")

    def reply(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("Cache-Control", "private, no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections are cut on purpose here."""


@contextmanager
def serving(room: FakeRoom, host: str = "127.0.0.1") -> Iterator[FakeRoom]:
    """The room on a free port, until the test is over."""
    server = Server((host, 0), type("RoomHandler", (Handler,), {"room": room}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    room.url = f"http://{host}:{server.server_port}"
    try:
        yield room
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
