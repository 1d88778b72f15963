"""The plan of the house, enforced: who may import whom, and what the web process never loads."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = [
    "audit", "accounts", "jobs", "cases", "reconstructions", "studies", "schedules", "reading", "conduct",
    "analytics", "operations", "demo",
]  # fmt: skip
TORCH_FREE = ["inference/data", "inference/methods/register.py", "inference/physics/levels.py"]


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively: write the whole name."
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(folder: str) -> list[Path]:
    found = [p for p in (ROOT / folder).rglob("*.py") if "migrations" not in p.parts]
    assert found, f"{folder} holds no Python file."
    return found


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_only_what_stands_to_its_left(app: str) -> None:
    right = {f"readerstudy.{name}" for name in APPS[APPS.index(app) + 1 :]}
    for path in sources(f"readerstudy/{app}"):
        for name in imports_of(path):
            assert not any(name == r or name.startswith(f"{r}.") for r in right), f"{path} imports {name}."


def test_inference_knows_nothing_of_django_or_the_apps() -> None:
    for path in sources("inference"):
        for name in imports_of(path):
            assert name.split(".")[0] not in {"django", "readerstudy"}, f"{path} imports {name}."


def test_only_reconstructions_use_more_of_inference_than_its_data() -> None:
    for app in APPS:
        if app in {"reconstructions"}:
            continue
        for path in sources(f"readerstudy/{app}"):
            for name in imports_of(path):
                allowed = ("inference.data", "inference.metrics.frechet")
                assert not name.startswith("inference.") or name.startswith(allowed), f"{path} imports {name}."


def test_statistics_import_neither_django_nor_an_app() -> None:
    for path in sources("readerstudy/statistics"):
        for name in imports_of(path):
            assert name.split(".")[0] != "django", f"{path} imports {name}."
            assert not name.startswith("readerstudy.") or name.startswith("readerstudy.statistics"), path


def test_nothing_imports_the_demo() -> None:
    for app in APPS[:-1]:
        for path in sources(f"readerstudy/{app}"):
            assert not any(name.startswith("readerstudy.demo") for name in imports_of(path)), path


def test_readerstudy_itself_imports_nothing() -> None:
    assert not list(imports_of(ROOT / "readerstudy/__init__.py"))


def test_the_web_process_never_imports_torch() -> None:
    """Load the whole URL configuration, as gunicorn does, and look at what came with it."""
    program = (
        "import sys, readerstudy.wsgi\n"
        "from django.urls import get_resolver\n"
        "assert len(get_resolver().url_patterns) > 5\n"
        "assert 'torch' not in sys.modules, 'torch is loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("part", TORCH_FREE)
def test_this_part_of_inference_imports_no_torch(part: str) -> None:
    modules = [part] if part.endswith(".py") else [str(p.relative_to(ROOT)) for p in sources(part)]
    names = [m.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for m in modules]
    program = (
        f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_torchvision_is_absent() -> None:
    assert importlib.util.find_spec("torchvision") is None, "torchvision beside this torch breaks imports: remove it."
