"""A small S3-compatible server for tests: the four calls of the store, with signatures and checksums really checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from xml.sax.saxutils import escape

from readerstudy.configuration import Bucket

NAME, ACCESS, SECRET, REGION = "pictures", "AKIATESTTESTTEST", "a/secret+of-the-tests", "eu-test-1"
PAGE = 7
KNOWN = {"NoSuchKey": 404, "NoSuchBucket": 404, "SignatureDoesNotMatch": 403, "BadDigest": 400}


class Server(ThreadingHTTPServer):
    """Objects in memory. ``faults`` is asked before each answer and may return the code of an error or a status."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.faults: Callable[[str, str], tuple[int, str] | None] = lambda verb, key: None
        self.broken_off = 0
        self.connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no news."""

    def end(self) -> None:
        """Stop, for connections that are kept open too."""
        self.shutdown()
        for connection in tuple(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def bucket(self, prefix: str = "studies/one", **changes: str) -> Bucket:
        fields = {
            "name": NAME, "prefix": prefix, "endpoint": f"http://127.0.0.1:{self.server_port}", "region": REGION,
            "access_key": ACCESS, "secret_key": SECRET,
        }  # fmt: skip
        return Bucket(**{**fields, **changes})


@contextmanager
def serving(port: int = 0) -> Iterator[Server]:
    with Server(port) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.end()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self._begin(body)
        if key is None:
            return
        digest = hashlib.sha256(body).digest()
        if key.rpartition("/")[2] != ".check" and self.headers["x-amz-checksum-sha256"] != _base64(digest):
            return self._error(400, "BadDigest")
        self.server.objects[key] = body
        self._answer(200, b"")

    def do_GET(self) -> None:
        key = self._begin(b"")
        if key is None:
            return
        if not key:
            return self._list()
        content = self.server.objects.get(key)
        if content is None:
            return self._error(404, "NoSuchKey")
        if self.server.broken_off:
            self.server.broken_off -= 1
            self.close_connection = True
            return self._answer(200, content[: len(content) // 2], length=len(content))
        self._answer(200, content)

    def do_HEAD(self) -> None:
        key = self._begin(b"")
        if key is not None:
            content = self.server.objects.get(key)
            self._answer(404 if content is None else 200, b"", length=len(content or b""))

    def _begin(self, body: bytes) -> str | None:
        """The key of a request that may be answered; None after an error was sent."""
        parts = urlsplit(self.path)
        name, _, key = parts.path.removeprefix("/").partition("/")
        self.server.calls.append(f"{self.command} {key or 'list'}")
        if fault := self.server.faults(self.command, key):
            return self._error(*fault)
        if not _signed(self.command, self.path, dict(self.headers.items()), body):
            return self._error(403, "SignatureDoesNotMatch")
        return key if name == NAME else self._error(404, "NoSuchBucket")

    def _list(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        most = min(PAGE, int(query.get("max-keys", PAGE)))
        after = query.get("continuation-token", "")
        keys = [k for k in sorted(self.server.objects) if k.startswith(query.get("prefix", "")) and k > after]
        page, more = keys[:most], len(keys) > most
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more and page else ""
        found = "".join(f"<Contents><Key>{escape(key)}</Key><Size>1</Size></Contents>" for key in page)
        text = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{found}</ListBucketResult>"
        self._answer(200, text.encode())

    def _error(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        self._answer(status, b"" if self.command == "HEAD" else text.encode())

    def _answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _signed(verb: str, target: str, headers: dict[str, str], body: bytes) -> bool:
    """Signature Version 4 as its description has it, from the request as it came in."""
    given = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    words = given.get("authorization", "").replace(",", " ").split()
    if not words or words[0] != "AWS4-HMAC-SHA256" or len(words) != 4:
        return False
    fields = dict(word.split("=", 1) for word in words[1:])
    access, day, region, service, end = fields["Credential"].split("/")
    hashed = hashlib.sha256(body).hexdigest()
    if (access, region, service) != (ACCESS, REGION, "s3") or given["x-amz-content-sha256"] != hashed:
        return False
    parts = urlsplit(target)
    pairs = sorted((n, v) for n, values in parse_qs(parts.query, keep_blank_values=True).items() for v in values)
    query = "&".join("=".join(quote(word, safe="-_.~") for word in pair) for pair in pairs)
    signed = "".join(f"{name}:{given[name]}\n" for name in fields["SignedHeaders"].split(";"))
    canonical = "\n".join([verb, parts.path, query, signed, fields["SignedHeaders"], hashed])
    scope = f"{day}/{region}/{service}/{end}"
    text = f"AWS4-HMAC-SHA256\n{given['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in (day, region, service, end):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), fields["Signature"])


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
