"""The typed reader of the environment: every variable the installation knows, with its default and its check.

A wrong value stops the start with one sentence that names the variable and says what to write instead.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent
TRUE, FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}
LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}
FROM = "readerstudy@localhost"
MAIL_SECONDS = 10  # in which a mail server must answer, while a person waits for the page
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


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
    bucket: Bucket | None
    pixel_cache: Path
    pixel_cache_mib: int
    static: Path
    email_url: str
    device: str
    upload_gb: int
    free_gb: int
    log_format: str
    metrics_token: str
    alarm_minutes: int
    idle_minutes: int
    require_mfa: bool
    oidc: Oidc | None


@dataclass(frozen=True)
class Oidc:
    """An OpenID Connect provider by which people who have an account here may sign in; ``name`` is what they read."""

    issuer: str
    client_id: str
    client_secret: str
    name: str


@dataclass(frozen=True)
class Bucket:
    """Where pixels lie in S3-compatible storage; without keys those of the machine's own role are used."""

    name: str
    prefix: str
    endpoint: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def read(environment: Mapping[str, str] = os.environ) -> Configuration:
    data = Path(environment.get("READERSTUDY_DATA") or ROOT / "var").resolve()
    demo = _flag(environment, "READERSTUDY_DEMO")
    pixels = environment.get("READERSTUDY_PIXELS", "").strip()
    place = bucket(pixels, environment)
    hosts = _words(environment, "READERSTUDY_ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
    if demo and not set(hosts) <= LOOPBACK:
        raise ImproperlyConfigured(
            "READERSTUDY_DEMO serves this machine only: remove READERSTUDY_ALLOWED_HOSTS or set READERSTUDY_DEMO=0."
        )
    return Configuration(
        data=data,
        secret_key=_signing_key(environment, data),
        debug=_flag(environment, "READERSTUDY_DEBUG"),
        demo=demo,
        allowed_hosts=hosts,
        trusted_origins=_words(environment, "READERSTUDY_TRUSTED_ORIGINS"),
        https=_flag(environment, "READERSTUDY_HTTPS"),
        trusted_proxies=_count(environment, "READERSTUDY_TRUSTED_PROXIES"),
        database_url=_secret(environment, "DATABASE_URL"),
        broker_url=_secret(environment, "CELERY_BROKER_URL"),
        pixels=(data / "pixels" if place or not pixels else Path(pixels)).resolve(),
        bucket=place,
        pixel_cache=Path(environment.get("READERSTUDY_PIXEL_CACHE") or data / "pixel_cache").resolve(),
        pixel_cache_mib=_count(environment, "READERSTUDY_PIXEL_CACHE_MIB", default=1024),
        static=Path(environment.get("READERSTUDY_STATIC") or data / "static").resolve(),
        email_url=_secret(environment, "READERSTUDY_EMAIL_URL"),
        device=_choice(environment, "READERSTUDY_DEVICE", ("cpu", "cuda")),
        upload_gb=_count(environment, "READERSTUDY_UPLOAD_GB", default=20),
        free_gb=_count(environment, "READERSTUDY_FREE_GB", default=1),
        log_format=_choice(environment, "READERSTUDY_LOG_FORMAT", ("plain", "json")),
        metrics_token=_long_secret(environment, "READERSTUDY_METRICS_TOKEN"),
        alarm_minutes=_count(environment, "READERSTUDY_ALARM_MINUTES", default=15, least=1),
        idle_minutes=_count(environment, "READERSTUDY_IDLE_MINUTES", default=30, least=1, most=480),
        require_mfa=_flag(environment, "READERSTUDY_REQUIRE_MFA", default=not demo),
        oidc=_oidc(environment),
    )


def bucket(pixels: str, environment: Mapping[str, str] = os.environ) -> Bucket | None:
    """The bucket that ``s3://bucket/prefix`` names, reached by the READERSTUDY_S3_ variables; None for a folder."""
    if "://" not in pixels:
        return None
    scheme, _, rest = pixels.partition("://")
    name, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if scheme != "s3" or not BUCKET.fullmatch(name) or (prefix and not PREFIX.fullmatch(prefix)):
        raise ImproperlyConfigured("READERSTUDY_PIXELS must be a folder or look like s3://bucket/prefix.")
    endpoint = environment.get("READERSTUDY_S3_ENDPOINT", "").strip().rstrip("/")
    parts = urlsplit(endpoint)
    if endpoint and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query):
        raise ImproperlyConfigured("READERSTUDY_S3_ENDPOINT must look like https://storage.example.org:9000.")
    keys = [_secret(environment, f"READERSTUDY_S3_{part}_KEY") for part in ("ACCESS", "SECRET")]
    if any(keys) and not all(keys):
        raise ImproperlyConfigured("READERSTUDY_S3_ACCESS_KEY and READERSTUDY_S3_SECRET_KEY go together: set both.")
    region = environment.get("READERSTUDY_S3_REGION", "").strip() or "us-east-1"
    return Bucket(name, prefix, endpoint, region, *keys)


def database(url: str, data: Path) -> dict[str, object]:
    """Django's database settings: tuned SQLite in the data folder, or PostgreSQL by one URL."""
    if not url:
        return {
            "ENGINE": "readerstudy.sqlite",
            "NAME": data / "readerstudy.sqlite3",
            "TEST": {"NAME": data / "test.sqlite3"},
            "CONN_MAX_AGE": 60,  # to open the file and set it up costs a sixth of storing a score
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
        # After an outage the pool would otherwise wait twice as long before each new attempt.
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 12, "timeout": 5, "reconnect_timeout": 3}},
    }


def email(url: str, log_format: str = "plain") -> dict[str, object]:
    """Django's mail settings from ``smtp://user:password@host:587/?from=address``.

    Without a URL mails are shown on the console, but never between JSON logs: they bear names and links.
    """
    if not url:
        backend = "console" if log_format == "plain" else "dummy"
        return {"EMAIL_BACKEND": f"django.core.mail.backends.{backend}.EmailBackend", "DEFAULT_FROM_EMAIL": FROM}
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured("READERSTUDY_EMAIL_URL must look like smtp://user:password@host:587.")
    sender = parse_qs(parts.query).get("from", [FROM])[0]
    return {
        "DEFAULT_FROM_EMAIL": sender,
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_TIMEOUT": MAIL_SECONDS,
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp",
    }


def oidc_providers(oidc: Oidc | None) -> dict[str, Any]:
    """allauth's settings of the one provider, or of none."""
    if oidc is None:
        return {}
    app = {
        "provider_id": "sso", "name": oidc.name, "client_id": oidc.client_id, "secret": oidc.client_secret,
        "settings": {"server_url": oidc.issuer, "oauth_pkce_enabled": True},
    }  # fmt: skip
    return {"openid_connect": {"APPS": [app]}}


def _secret(environment: Mapping[str, str], name: str) -> str:
    """A value that may also stand in a file, named by the variable with ``_FILE``; empty where there is neither."""
    value, file = environment.get(name, ""), environment.get(f"{name}_FILE", "")
    if value and file:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them.")
    if not file:
        return value
    try:
        value = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise ImproperlyConfigured(f"{name}_FILE names {file}, which can't be read ({why}): correct it.") from None
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE names {file}, which is empty: write the value into it.")
    return value


def _long_secret(environment: Mapping[str, str], name: str, least: int = 20) -> str:
    value = _secret(environment, name)
    if value and len(value) < least:
        raise ImproperlyConfigured(f"{name} must have at least {least} characters: draw a random one.")
    return value


def _signing_key(environment: Mapping[str, str], data: Path) -> str:
    """The signing key: from the environment, from a file, or made once and kept in the data folder."""
    if key := _long_secret(environment, "READERSTUDY_SECRET_KEY"):
        return key
    path = data / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(64))
    return path.read_text().strip()


def _oidc(environment: Mapping[str, str]) -> Oidc | None:
    issuer = environment.get("READERSTUDY_OIDC_ISSUER", "").strip().rstrip("/")
    client = environment.get("READERSTUDY_OIDC_CLIENT_ID", "").strip()
    secret = _secret(environment, "READERSTUDY_OIDC_CLIENT_SECRET")
    if not (issuer or client or secret):
        return None
    if not (issuer and client and secret):
        raise ImproperlyConfigured(
            "Single sign-on needs READERSTUDY_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET together: set all or none."
        )
    parts = urlsplit(issuer)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
        raise ImproperlyConfigured("READERSTUDY_OIDC_ISSUER must be an https:// address.")
    return Oidc(issuer, client, secret, environment.get("READERSTUDY_OIDC_NAME", "").strip() or parts.hostname)


def _flag(environment: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = environment.get(name, "").strip().lower()
    if not text:
        return default
    if text in TRUE | FALSE:
        return text in TRUE
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {text!r}.")


def _count(
    environment: Mapping[str, str], name: str, default: int = 0, *, least: int = 0, most: int | None = None
) -> int:
    text = environment.get(name, "").strip() or str(default)
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        span = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise ImproperlyConfigured(f"{name} must be a whole number {span}, not {text!r}.")
    return int(text)


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = environment.get(name, "").strip() or choices[0]
    if text not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
    return text


def _words(environment: Mapping[str, str], name: str) -> list[str]:
    return [word.strip() for word in environment.get(name, "").split(",") if word.strip()]
