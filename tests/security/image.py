"""The Dockerfile, read as data."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
PYTHON = os.environ.get("READERSTUDY_IMAGE_PYTHON", sys.executable)
USER = 10001


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: word and arguments, continued lines joined."""
    lines = [line for line in (DOCKER / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines()) if word]


def said(word: str) -> list[str]:
    return [rest for found, rest in instructions() if found == word]


def copied() -> list[tuple[str, str]]:
    """Source and target of every COPY from the build's context."""
    found = []
    for rest in said("COPY"):
        *sources, target = rest.split()
        found += [(source, target) for source in sources if not source.startswith("--")]
    return found
