"""The image's steps by hand, where there is no container engine: it starts as user 10001 on a tree it can't write.

``make image-steps`` runs this with the image's own packages (READERSTUDY_IMAGE_PYTHON); else the tests' are used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.image import PYTHON, ROOT, USER, copied, said
from tests.security.test_headers import PRODUCTION


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The tree of the image: /app without write bits, and /data and /tmp of the user."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("Only root with setpriv can become the image's user.")
    folder = Path(tempfile.mkdtemp(prefix="readerstudy-image-"))
    folder.chmod(0o755)
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    for source, target in copied():
        place = folder / "app" / target.removeprefix("./")
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=unwanted)
        elif target == "./":
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)
    for name in ("data", "tmp"):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, USER, USER)
    yield folder
    shutil.rmtree(folder)


def environment(image: Path, **values: str) -> dict[str, str]:
    """The image's own variables with its folders moved here, and an installation's."""
    text = " ".join(said("ENV")).replace("${DEVICE}", "cpu")
    own = dict(re.findall(r"(\w+)=(\S+)", text))
    own = {name: re.sub(r"^/(app|data|tmp)(?=/|$)", rf"{image}/\1", value) for name, value in own.items()}
    path = f"{Path(PYTHON).parent}:{os.environ['PATH']}"
    return {"PATH": path, "TMPDIR": f"{image}/tmp", "OMP_NUM_THREADS": "1", **PRODUCTION, **own, **values}


def as_user(*command: str) -> list[str]:
    """The command as the image's user; it may read what root may (an interpreter in root's home), and write nothing."""
    reading = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    bounding = "--bounding-set=-all,+dac_read_search"
    return [
        "setpriv",
        f"--reuid={USER}",
        f"--regid={USER}",
        "--clear-groups",
        *reading,
        bounding,
        "--no-new-privs",
        *command,
    ]


def run(image: Path, *command: str, **values: str) -> str:
    done = subprocess.run(
        command, cwd=image / "app", env=environment(image, **values), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def get(port: int, page: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{page}", headers={"Host": "study.example.org", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, answer.read().decode()


@pytest.mark.slow
def test_it_starts_as_its_user_on_a_tree_that_cannot_be_written(image: Path, free_port: int) -> None:
    build = {"READERSTUDY_DATA": str(image / "build")}
    run(image, PYTHON, "manage.py", "prepare", "--static", **build)
    shutil.rmtree(image / "build")
    assert len(list((image / "app" / "collected").rglob("*.js"))) > 25
    for path in [image / "app", *(image / "app").rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    before = {path: path.stat().st_mtime_ns for path in (image / "app").rglob("*")}
    attempt = subprocess.run(as_user("touch", str(image / "app" / "x")), capture_output=True, check=False)
    assert attempt.returncode != 0, "the user can write to the code"
    assert "up to date" in run(image, *as_user(PYTHON, "manage.py", "prepare"))

    entry = json.loads(said("ENTRYPOINT")[-1])
    entry = [PYTHON, "-m", *(word.replace("0.0.0.0:8000", f"127.0.0.1:{free_port}") for word in entry)]
    log = (image / "log").open("wb")
    server = subprocess.Popen(
        as_user(*entry), cwd=image / "app", env=environment(image), stdout=log, stderr=log, start_new_session=True
    )
    try:
        look_at_it(image, server, free_port)
    finally:
        os.killpg(server.pid, signal.SIGKILL) if server.poll() is None else None
        log.close()
    assert before == {path: path.stat().st_mtime_ns for path in (image / "app").rglob("*")}


def look_at_it(image: Path, server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 90
    while True:
        try:
            assert get(port, "/healthz") == (200, "ok\n")
            break
        except (urllib.error.URLError, ConnectionError):
            assert server.poll() is None and time.monotonic() < until, (image / "log").read_text()
            time.sleep(0.2)
    assert get(port, "/readyz") == (200, "ready\n")
    # Each process of the server loads its pages at its first request, for which a probe waits 5 s; it is asked again.
    probe = as_user(PYTHON, "-m", "readerstudy.jobs.probe", "--port", str(port))
    while subprocess.run(probe, cwd=image / "app", env=environment(image), capture_output=True, check=False).returncode:
        assert time.monotonic() < until, (image / "log").read_text()
    status, page = get(port, "/accounts/login/", **{"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"})
    style = re.search(r'href="(/static/[^"]+\.css)"', page)
    assert status == 200 and style is not None
    assert get(port, style[1], **{"X-Forwarded-Proto": "https"})[0] == 200
    uid = Path(f"/proc/{server.pid}/status").read_text().split("Uid:")[1].split()[0]
    assert uid == str(USER)
    server.terminate()
    assert server.wait(30) == 0
    lines = [json.loads(line) for line in (image / "log").read_text().splitlines()]
    assert {"/accounts/login/"} <= {line.get("path") for line in lines} and "192.0.2.7" not in str(lines)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
