"""Scripts are served without the comments that fill whole lines, and with nothing else taken away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from readerstudy.staticfiles import without_comments

SCRIPTS = Path(__file__).parents[2] / "static" / "readerstudy" / "js"


@pytest.mark.parametrize(
    ("script", "served"),
    [
        ("/** What. */\nlet a;\n", "let a;\n"),
        ("  /**\n   * More. @param {x} y\n   */\n  f() {}\n", "  f() {}\n"),
        ("  // why\n  g();\n", "  g();\n"),
        ("/** @type {A} */ (a).b = 1; /** c */\nd();\n", "/** @type {A} */ (a).b = 1; /** c */\nd();\n"),
        ("const u = `http://x`; // end\n", "const u = `http://x`; // end\n"),
    ],
)
def test_only_whole_lines_of_comment_go(script: str, served: str) -> None:
    assert without_comments(script) == served


@pytest.mark.parametrize("file", sorted(SCRIPTS.rglob("*.js")), ids=lambda file: file.name)
def test_every_line_of_code_is_served(file: Path) -> None:
    source = file.read_text()
    comment, kept = False, []
    for line in source.splitlines():
        words = line.strip()
        if not comment and words.startswith("/**") and "*/" not in words:
            comment = True
        elif comment:
            comment = "*/" not in words
        elif not re.fullmatch(r"//.*|/\*\*.*\*/", words):
            kept.append(line)
    assert without_comments(source).splitlines() == kept
