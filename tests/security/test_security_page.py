"""docs/security.md names only tests that exist, and every chapter of the standard."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_test_it_names_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_it_has_a_row_for_every_chapter() -> None:
    assert re.findall(r"^\| V(\d+) ", PAGE, re.MULTILINE) == [str(number) for number in range(1, 18)]
    for row in re.findall(r"^\| V(?!17 )\d+ .*$", PAGE, re.MULTILINE):
        assert "`tests/" in row, row


def test_it_claims_no_compliance() -> None:
    for sentence in re.split(r"(?<=[.:|])\s", PAGE):
        if re.search(r"complian|certif", sentence, re.IGNORECASE):
            assert re.search(r"\b(no|not|never|nobody)\b", sentence, re.IGNORECASE) or "certificate" in sentence, (
                sentence
            )
