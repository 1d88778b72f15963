"""The typed reader of the environment: every variable the installation knows, with its default and its check.

A wrong value stops the start with one sentence that names the variable and says what to write instead.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent
TRUE, FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


@dataclass(frozen=True)
class Configuration:
    """What the environment says; ``data`` holds the default database, the pixels and the queue's files."""

    data: Path
    secret_key: str
    debug: bool
    demo: bool
    allowed_hosts: list[str]
    trusted_origins: list[str]
    https: bool
    trusted_proxies: int
    database_url: str
    broker_url: str
    pixels: Path
    email_url: str
    device: str
    upload_gb: int


def read(environment: Mapping[str, str] = os.environ) -> Configuration:
    data = Path(environment.get("READERSTUDY_DATA") or ROOT / "var").resolve()
    demo = _flag(environment, "READERSTUDY_DEMO")
    hosts = _words(environment, "READERSTUDY_ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
    if demo and not set(hosts) <= {"localhost", "127.0.0.1", "[::1]"}:
        raise ImproperlyConfigured(
            "READERSTUDY_DEMO serves this machine only: remove READERSTUDY_ALLOWED_HOSTS or set READERSTUDY_DEMO=0."
        )
    return Configuration(
        data=data,
        secret_key=_secret(environment, data),
        debug=_flag(environment, "READERSTUDY_DEBUG"),
        demo=demo,
        allowed_hosts=hosts,
        trusted_origins=_words(environment, "READERSTUDY_TRUSTED_ORIGINS"),
        https=_flag(environment, "READERSTUDY_HTTPS"),
        trusted_proxies=_count(environment, "READERSTUDY_TRUSTED_PROXIES"),
        database_url=environment.get("DATABASE_URL", ""),
        broker_url=environment.get("CELERY_BROKER_URL", ""),
        pixels=Path(environment.get("READERSTUDY_PIXELS") or data / "pixels").resolve(),
        email_url=environment.get("READERSTUDY_EMAIL_URL", ""),
        device=_choice(environment, "READERSTUDY_DEVICE", ("cpu", "cuda")),
        upload_gb=_count(environment, "READERSTUDY_UPLOAD_GB", default=20),
    )


def database(url: str, data: Path) -> dict[str, object]:
    """Django's database settings: tuned SQLite in the data folder, or PostgreSQL by one URL."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": data / "readerstudy.sqlite3",
            "TEST": {"NAME": data / "test.sqlite3"},
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgresql://user:password@host:5432/name; leave it empty for SQLite."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.strip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 12, "timeout": 10}},
    }


def email(url: str) -> dict[str, object]:
    """Django's mail settings from ``smtp://user:password@host:587/?from=address`` (empty: the console)."""
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured("READERSTUDY_EMAIL_URL must look like smtp://user:password@host:587.")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp",
    }


def _secret(environment: Mapping[str, str], data: Path) -> str:
    """The signing key: from the environment, from a file, or made once and kept in the data folder."""
    if key := environment.get("READERSTUDY_SECRET_KEY"):
        return key
    path = Path(environment.get("READERSTUDY_SECRET_KEY_FILE") or data / "secret_key")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(64))
    return path.read_text().strip()


def _flag(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").strip().lower()
    if text in TRUE | FALSE:
        return text in TRUE
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {text!r}.")


def _count(environment: Mapping[str, str], name: str, default: int = 0) -> int:
    text = environment.get(name, "").strip() or str(default)
    if not text.isdigit():
        raise ImproperlyConfigured(f"{name} must be a whole number of 0 or more, not {text!r}.")
    return int(text)


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = environment.get(name, "").strip() or choices[0]
    if text not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
    return text


def _words(environment: Mapping[str, str], name: str) -> list[str]:
    return [word.strip() for word in environment.get(name, "").split(",") if word.strip()]
