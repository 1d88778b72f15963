"""The environment, read once: secrets also from files, and a wrong value stops the start with what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from readerstudy import configuration

LONG = "a random value of some length"
SECRETS = {
    "DATABASE_URL": "database_url", "CELERY_BROKER_URL": "broker_url", "READERSTUDY_SECRET_KEY": "secret_key",
    "READERSTUDY_EMAIL_URL": "email_url", "READERSTUDY_METRICS_TOKEN": "metrics_token",
}  # fmt: skip
OIDC = {
    "READERSTUDY_OIDC_ISSUER": "https://login.example.org/realm/",
    "READERSTUDY_OIDC_CLIENT_ID": "reader-study",
    "READERSTUDY_OIDC_CLIENT_SECRET": "s",
}


def read(data: Path, **environment: str) -> configuration.Configuration:
    return configuration.read({"READERSTUDY_DATA": str(data), **environment})


@pytest.mark.parametrize(("name", "field"), SECRETS.items())
def test_a_secret_may_stand_in_a_file(name: str, field: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{LONG}\n")
    assert getattr(read(tmp_path, **{f"{name}_FILE": str(file)}), field) == LONG
    assert getattr(read(tmp_path, **{name: LONG}), field) == LONG


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_two_places_or_in_none_that_can_be_read_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" \n")
    with pytest.raises(ImproperlyConfigured, match=f"{name} and {name}_FILE are both set: keep one"):
        read(tmp_path, **{name: LONG, f"{name}_FILE": str(file)})
    with pytest.raises(ImproperlyConfigured, match="which is empty: write the value into it"):
        read(tmp_path, **{f"{name}_FILE": str(file)})
    with pytest.raises(ImproperlyConfigured, match=r"can't be read \(No such file or directory\): correct it"):
        read(tmp_path, **{f"{name}_FILE": str(tmp_path / "nowhere")})
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ImproperlyConfigured, match=r"can't be read \(not text\)"):
        read(tmp_path, **{f"{name}_FILE": str(file)})


def test_a_refusal_never_tells_the_secret(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(tmp_path, READERSTUDY_METRICS_TOKEN="too-short")
    assert "at least 20 characters" in str(refused.value) and "too-short" not in str(refused.value)


def test_the_signing_key_is_made_once_where_none_is_given(tmp_path: Path) -> None:
    first = read(tmp_path).secret_key
    assert len(first) > 60 and read(tmp_path).secret_key == first
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("READERSTUDY_IDLE_MINUTES", "0", "from 1 to 480"),
        ("READERSTUDY_IDLE_MINUTES", "481", "from 1 to 480"),
        ("READERSTUDY_ALARM_MINUTES", "soon", "of 1 or more"),
        ("READERSTUDY_LOG_FORMAT", "xml", "one of plain, json"),
        ("READERSTUDY_REQUIRE_MFA", "perhaps", "1 or 0"),
    ],
)
def test_a_wrong_value_says_what_to_write(name: str, value: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be .*{sentence}"):
        read(tmp_path, **{name: value})


def test_what_holds_without_any_setting(tmp_path: Path) -> None:
    made = read(tmp_path)
    assert (made.idle_minutes, made.log_format, made.metrics_token, made.oidc) == (30, "plain", "", None)
    assert made.require_mfa and made.static == tmp_path / "static"
    assert not read(tmp_path, READERSTUDY_DEMO="1").require_mfa
    assert read(tmp_path, READERSTUDY_DEMO="1", READERSTUDY_REQUIRE_MFA="1").require_mfa


def test_single_sign_on_takes_three_values_or_none(tmp_path: Path) -> None:
    oidc = read(tmp_path, **OIDC).oidc
    assert oidc is not None and (oidc.issuer, oidc.name) == ("https://login.example.org/realm", "login.example.org")
    for missing in OIDC:
        with pytest.raises(ImproperlyConfigured, match="set all or none"):
            read(tmp_path, **{name: value for name, value in OIDC.items() if name != missing})
    with pytest.raises(ImproperlyConfigured, match="must be an https:// address"):
        read(tmp_path, **(OIDC | {"READERSTUDY_OIDC_ISSUER": "http://login.example.org"}))
    file = tmp_path / "client"
    file.write_text("from a file")
    values: dict[str, Any] = {n: v for n, v in OIDC.items() if not n.endswith("SECRET")}
    found = read(tmp_path, **values, READERSTUDY_OIDC_CLIENT_SECRET_FILE=str(file)).oidc
    assert found is not None and found.client_secret == "from a file"
    app = configuration.oidc_providers(found)["openid_connect"]["APPS"][0]
    assert app["settings"]["oauth_pkce_enabled"] and configuration.oidc_providers(None) == {}


def test_mails_never_stand_between_json_logs() -> None:
    assert "console" in str(configuration.email("")["EMAIL_BACKEND"])
    assert "dummy" in str(configuration.email("", "json")["EMAIL_BACKEND"])
    sent = configuration.email("smtp://u:p%40s@mail.example.org/?from=study%40example.org", "json")
    assert (sent["EMAIL_HOST_PASSWORD"], sent["DEFAULT_FROM_EMAIL"]) == ("p@s", "study@example.org")


def test_the_demo_serves_this_machine_only(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="READERSTUDY_DEMO serves this machine only"):
        read(tmp_path, READERSTUDY_DEMO="1", READERSTUDY_ALLOWED_HOSTS="study.example.org")
