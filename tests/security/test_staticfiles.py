"""Scripts are served without the comments that fill whole lines, and with nothing else taken away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import get_finders

from readerstudy.staticfiles import HashedStaticFilesStorage, without_comments

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


def test_collected_modules_are_whole_and_find_each_other(tmp_path: Path) -> None:
    """As an installation collects them: every import names a file that is there, none is empty, none has comments."""
    storage = HashedStaticFilesStorage(location=str(tmp_path), base_url="/static/")
    paths = {
        path: (source, path)
        for finder in get_finders()
        for path, source in finder.list([])
        if path.startswith("readerstudy/")
    }
    for path, (source, _) in paths.items():
        with source.open(path) as content:
            storage.save(path, content)
    failures = [result for _, _, result in storage.post_process(dict(paths)) if isinstance(result, Exception)]
    assert failures == []
    modules = [path for path in paths if path.endswith(".js")]
    assert len(modules) > 25
    for path in modules:
        served = tmp_path / storage.stored_name(path)
        code = served.read_text()
        assert served.name != Path(path).name and len(code) > 100 and "/**" not in code.replace("/** @type", "")
        for wanted in re.findall(r'from "(\./[^"]+|\.\./[^"]+)"', code):
            assert (served.parent / wanted).resolve().is_file(), f"{path} asks for {wanted}"
            assert re.search(r"\.[0-9a-f]{12}\.js$", wanted), f"{path} asks for {wanted} without its hash"
