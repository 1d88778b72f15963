"""Headers and cookies that keep a browser from helping an attacker; an image's are exactly these and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.reading.actions import start_session
from tests.factories import make_open, make_user

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "READERSTUDY_HTTPS": "1", "READERSTUDY_TRUSTED_PROXIES": "1", "READERSTUDY_ALLOWED_HOSTS": "study.example.org",
    "READERSTUDY_LOG_FORMAT": "json", "READERSTUDY_EMAIL_URL": "smtp://u:p@mail.example.org",
    "READERSTUDY_REQUIRE_MFA": "1",
}  # fmt: skip
FRAME = {
    "Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Length", "X-Frame-Options",
    "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Vary", "Content-Security-Policy",
}  # fmt: skip


@pytest.mark.django_db
def test_every_page_has_them() -> None:
    client = Client()
    client.force_login(make_user())
    for address in (reverse("account_login"), reverse("studies:list"), "/nowhere/", reverse("api:studies"), "/healthz"):
        headers = client.get(address).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert headers["Cross-Origin-Opener-Policy"] == headers["Referrer-Policy"] == "same-origin"
        assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")
        assert "camera=()" in headers["Permissions-Policy"] and len(headers["X-Request-ID"]) == 32


@pytest.mark.django_db
def test_an_image_has_a_fixed_set_in_which_nothing_is_its_own() -> None:
    world = make_open()
    start_session(world.readers[0], world.sessions()[0])
    client = Client()
    client.force_login(world.readers[0])
    urls = [reverse("reading:frame", args=[row.pk, 0, 0]) for row in world.presentations()[:6]]
    first = dict(client.get(urls[0]).headers)
    assert set(first) - {"Content-Language"} == FRAME
    assert all(dict(client.get(url, headers={"X-Request-ID": "from-afar-7"}).headers) == first for url in urls)
    client.logout()
    for url in (urls[0], reverse("reading:practice_frame", args=["nothing"])):
        refused = client.get(url)
        assert refused.status_code == 401 and {"X-Request-ID", "Permissions-Policy"}.isdisjoint(refused.headers)


PROGRAM = """
import json, django
from django.conf import settings
django.setup()
from django.test import Client
page = Client().get("/accounts/login/", headers={"host": "study.example.org", "x-forwarded-proto": "https"})
plain = Client().get("/accounts/login/", headers={"host": "study.example.org"})
wrong = Client().get("/accounts/login/", headers={"host": "evil.example.org", "x-forwarded-proto": "https"})
cookies = {name: [bool(c["secure"]), c["path"], c["domain"], c["samesite"]] for name, c in page.cookies.items()}
print(json.dumps({
    "cookies": cookies, "session": [settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE,
    settings.SESSION_COOKIE_HTTPONLY, settings.LANGUAGE_COOKIE_NAME],
    "hsts": page.headers.get("Strict-Transport-Security"),
    "plain": [plain.status_code, plain.headers.get("Location")], "wrong": wrong.status_code, "page": page.status_code,
    "mfa": settings.REQUIRE_MFA, "debug": settings.DEBUG,
}))
"""


# Browser tests of the same process set this for themselves.
OURS = {name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"}


def run(data: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = OURS | PRODUCTION | {"READERSTUDY_DATA": str(data), "DJANGO_SETTINGS_MODULE": "readerstudy.settings"}
    environment |= {"DATABASE_URL": "", "CELERY_BROKER_URL": ""}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_production_settings_have_nothing_to_warn_of(tmp_path: Path) -> None:
    done = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def test_behind_https_cookies_are_bound_to_the_host_and_http_leads_to_https(tmp_path: Path) -> None:
    done = run(
        tmp_path, "manage.py", "collectstatic", "--no-input", "--verbosity", "0", "-i", "hx-*", "-i", "htmx-2-compat-*"
    )
    assert done.returncode == 0, done.stderr
    done = run(tmp_path, "-c", PROGRAM)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["cookies"] == {"__Host-csrf": [True, "/", "", "Lax"]}
    assert found["session"] == ["__Host-session", True, True, "__Host-language"]
    assert found["hsts"] == "max-age=31536000; includeSubDomains" and found["page"] == 200
    assert found["plain"] == [301, "https://study.example.org/accounts/login/"] and found["wrong"] == 400
    assert found["mfa"] is True and found["debug"] is False
