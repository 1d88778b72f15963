"""Log lines for people or as JSON, that never tell who somebody is: no name, address, query string or request body.

A line says which request it belongs to, the person's random handle and the pattern of the address, not the address
itself, which may bear a secret. Of an exception it says its kind and where it came from; its words may quote data, so
that they are written only under READERSTUDY_DEBUG. Knows nothing of Django, since gunicorn's parent uses it too.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MOST_FRAMES = 30
QUIET = ("celery", "kombu", "amqp")
_current: ContextVar[Any] = ContextVar("request", default=None)


@contextmanager
def during(request: Any) -> Iterator[None]:
    """Lines written inside belong to this request."""
    before = _current.set(request)
    try:
        yield
    finally:
        _current.reset(before)


def pattern_of(request: Any) -> str:
    """The address as the product knows it, ``/reading/p/<str:presentation>/...``; empty where it knows none."""
    match = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match is not None else ""


def handle_of(request: Any) -> str:
    """The pseudonym of who is signed in, if the request has looked already: a log line asks no database."""
    return str(getattr(getattr(request, "_cached_user", None), "handle", ""))


def facts(record: logging.LogRecord, debug: bool = False) -> dict[str, Any]:
    """What a line says, in the order in which it says it."""
    request = getattr(record, "request", None) or _current.get()
    found: dict[str, Any] = {
        "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z",
        "level": record.levelname,
        "logger": record.name,
        "message": _message(record, request),
        "request": getattr(request, "request_id", ""),
        "user": handle_of(request),
        "path": pattern_of(request),
    }
    found |= {name: getattr(record, name) for name in ("method", "status", "milliseconds") if hasattr(record, name)}
    if record.exc_info and record.exc_info[1] is not None:
        found["exception"] = list(_causes(record.exc_info[1], debug))
        found["trace"] = frames(record.exc_info[2])
    return {name: value for name, value in found.items() if value not in ("", None)}


def frames(trace: TracebackType | None) -> list[str]:
    """Where an exception came from, the outermost call first: ``readerstudy/reading/api.py:71 answers``."""
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{_short(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found[-MOST_FRAMES:]


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__()
        self.debug = debug

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(facts(record, self.debug), ensure_ascii=False, default=str)


class PlainFormatter(JsonFormatter):
    """The same facts for a person at a console."""

    def format(self, record: logging.LogRecord) -> str:
        found = facts(record, self.debug)
        line = f"{found['time']} {found['level']} {found['logger']} {found.get('message', '')}".replace("\n", "\\n")
        told = [f"{name}={found[name]}" for name in ("request", "user", "path") if name in found]
        words = [line + (f" ({', '.join(told)})" if told else "")]
        words += [f"    at {place}" for place in found.get("trace", ())]
        words += [f"    {kind}" for kind in found.get("exception", ())]
        return "\n".join(words)


def configuration(kind: str, level: str = "INFO", debug: bool = False) -> dict[str, Any]:
    """The ``logging`` settings; ``kind`` is ``json`` or ``plain``. Only JSON has a line for every request."""
    formatter = JsonFormatter if kind == "json" else PlainFormatter
    quiet: dict[str, dict[str, Any]] = {name: {"level": "WARNING"} for name in QUIET}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"readerstudy.logs.{formatter.__name__}", "debug": debug}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's own handlers would write, and mail, the whole request.
            "django": {"handlers": [], "propagate": True},
            "gunicorn.error": {"handlers": [], "propagate": True, "level": "WARNING"},
            "readerstudy.requests": {"level": "INFO" if kind == "json" else "WARNING"},
            **quiet,
        },
    }


def _message(record: logging.LogRecord, request: Any) -> str:
    """The line's words; where Django would write the address asked for, its pattern."""
    if request is None or not isinstance(record.args, tuple):
        return record.getMessage()
    address = {getattr(request, "path", None), getattr(request, "path_info", None)} - {None, ""}
    args = tuple((pattern_of(request) or "an unknown address") if a in address else a for a in record.args)
    try:
        return str(record.msg) % args if args else str(record.msg)
    except (TypeError, ValueError):
        return str(record.msg)


def _causes(error: BaseException | None, debug: bool) -> Iterator[str]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{type(error).__module__}.{type(error).__qualname__}" + (f": {error}" if debug else "")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _short(file: str) -> str:
    for root in (str(ROOT), *sorted(sys.path, key=len, reverse=True)):
        if root and file.startswith(f"{root}/"):
            return file[len(root) + 1 :]
    return file
