"""The demo prints its passwords, so it serves this machine only; nothing else has a password that is known."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from readerstudy import configuration
from readerstudy.accounts.models import User
from readerstudy.demo.people import make_people
from readerstudy.jobs.supervisor import Plan

ROOT = Path(__file__).resolve().parents[2]


def test_outside_the_demo_there_is_no_demo() -> None:
    with pytest.raises(CommandError, match="The demo prints passwords: start it with make demo"):
        call_command("demo")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "study.example.org"])
def test_the_demo_binds_to_this_machine_only(address: str, settings: Any) -> None:
    settings.DEMO = True
    with pytest.raises(CommandError, match="serves this machine only"):
        call_command("up", "--bind", address)
    assert Plan().bind == "127.0.0.1"


def test_the_demo_answers_to_this_machine_s_names_only(tmp_path: Path) -> None:
    environment = {"READERSTUDY_DATA": str(tmp_path), "READERSTUDY_DEMO": "1"}
    assert configuration.read(environment).allowed_hosts == ["localhost", "127.0.0.1", "[::1]"]
    with pytest.raises(ImproperlyConfigured):
        configuration.read(environment | {"READERSTUDY_ALLOWED_HOSTS": "*"})


@pytest.mark.django_db
def test_the_demo_draws_its_passwords_and_only_their_owner_reads_the_file(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    people = make_people()
    file = tmp_path / "demo" / "logins.json"
    assert json.loads(file.read_text()) == people.passwords and file.stat().st_mode & 0o777 == 0o600
    assert len(set(people.passwords.values())) == len(people.passwords) > 5
    assert all(len(password) >= 12 for password in people.passwords.values())
    assert not User.objects.filter(is_superuser=True).exists()
    assert not any(program.has_usable_password() for program in people.simulated)


def test_no_account_is_made_with_a_password_written_in_the_code() -> None:
    given = re.compile(r"""set_password\(\s*["']|password\s*=\s*["'][^"']""")
    for path in (ROOT / "readerstudy").rglob("*.py"):
        assert not given.search(path.read_text()), path
    for path in (ROOT / "docker").rglob("*"):
        if path.is_file() and "secrets/" not in str(path):
            assert not re.search(r"(?i)(password|secret|token)\w*[:=]\s*['\"]?[a-z0-9]{6,}$", path.read_text(), re.M), (
                path
            )
