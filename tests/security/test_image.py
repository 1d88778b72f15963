"""The image and its set-up on paper: what goes in, what stays out, and who it runs as."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

from tests.security.image import DOCKER, ROOT, USER, copied, instructions, said

HIDDEN = [
    ".git/config", ".env", "docker/.env", "docker/secrets/secret_key", "docker/certificates/key.pem", "var/secret_key",
    "var/readerstudy.sqlite3", ".venv/bin/python", "tests/conftest.py", "readerstudy/__pycache__/urls.cpython-311.pyc",
    "readerstudy/.env", "inference/cases.sqlite3",
]  # fmt: skip


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file out: the last pattern that fits it or a folder above it decides."""
    out, parts = False, Path(path).parts
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    for line in (ROOT / ".dockerignore").read_text().split("\n"):
        pattern = line.strip().removeprefix("!").removeprefix("**/")
        if not pattern or line.startswith("#"):
            continue
        names = [*above, *parts] if "**/" in line else above
        if any(fnmatch(name, pattern) and (pattern != "*" or name == parts[0]) for name in names):
            out = not line.startswith("!")
    return out


def test_what_is_copied_exists_and_is_let_in_and_secrets_are_not() -> None:
    for source, _ in copied():
        assert (ROOT / source).exists() and not ignored(source), source
    assert {source for source, _ in copied()} >= {
        "inference",
        "readerstudy",
        "templates",
        "static",
        "requirements.lock",
    }
    assert not ignored("readerstudy/settings.py") and not ignored("readerstudy/locale/de/LC_MESSAGES/django.mo")
    assert [path for path in HIDDEN if not ignored(path)] == []


def test_the_image_runs_as_nobody_special_and_holds_no_secret() -> None:
    first, *others = said("FROM")
    assert re.fullmatch(r"python:3\.11\.\d+-slim-trixie(@sha256:[0-9a-f]{64})? AS base", first)
    assert all(other.split()[0] == "base" for other in others)
    assert said("USER")[-1] == f"{USER}:{USER}" and instructions()[-1][0] == "ENTRYPOINT"
    assert json.loads(said("ENTRYPOINT")[-1])[0] == "gunicorn" and "CMD" in said("HEALTHCHECK")[0]
    text = (DOCKER / "Dockerfile").read_text()
    assert "://" not in text and not re.search(r"(PASSWORD|SECRET|TOKEN)\w*=", text)


def test_the_set_up_passes_its_linters() -> None:
    tools = Path(sys.executable).parent
    for command in (
        [tools / "hadolint", DOCKER / "Dockerfile"],
        [tools / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DOCKER / "compose.yaml"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_wheels_that_the_lock_does_not_name_by_hash_stop_the_build(tmp_path: Path) -> None:
    def check() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, DOCKER / "check_hashes.py", tmp_path / "lock", tmp_path / "wheels"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    (tmp_path / "wheels").mkdir()
    wheel = tmp_path / "wheels" / "Some_thing-1.2-py3-none-any.whl"
    wheel.write_bytes(b"as it was")
    digest = hashlib.sha256(b"as it was").hexdigest()
    (tmp_path / "lock").write_text(
        f"other==1 \\\n    --hash=sha256:{'0' * 64}\nsome-thing==1.2 \\\n    --hash=sha256:{digest}\n"
    )
    assert (check().returncode, check().stdout) == (0, "1 wheels; not in the lock: none\n")
    wheel.write_bytes(b"as it is not")
    assert check().returncode == 1 and wheel.name in check().stdout
    (tmp_path / "lock").write_text(f"other==1 \\\n    --hash=sha256:{'0' * 64}\n")
    assert (check().returncode, check().stdout) == (0, f"1 wheels; not in the lock: {wheel.name}\n")


def test_every_package_of_the_lock_has_a_hash() -> None:
    pins = (ROOT / "requirements.lock").read_text().split("\n\n")[0].splitlines()
    names = [line for line in pins if "==" in line]
    assert len(names) > 100 and all(line.endswith("\\") for line in names)
