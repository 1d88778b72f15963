"""Every sentence a reader can see has its German; the compiled catalogue is the one of the text file."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.translation.template import templatize

from tests.factories import make_open

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "readerstudy" / "locale" / "de" / "LC_MESSAGES" / "django"
PAGES = [
    *sorted((ROOT / "templates" / "reading").glob("*.html")), *sorted((ROOT / "templates" / "account").glob("*.html")),
    *sorted((ROOT / "templates" / "socialaccount").glob("*.html")),
    ROOT / "templates" / "error.html", *sorted((ROOT / "templates" / "allauth").rglob("*.html")),
]  # fmt: skip
CODE = [
    *sorted((ROOT / "readerstudy" / "reading").rglob("*.py")), ROOT / "readerstudy" / "accounts" / "views.py",
    *(ROOT / "readerstudy" / "accounts" / f"{name}.py" for name in ("second_factor", "sessions", "single_sign_on")),
    ROOT / "readerstudy" / "studies" / "queries.py",
]  # fmt: skip
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
STRING = r"u?(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
FIELD = re.compile(r"%\(\w+\)s|\{\w*\}")


@pytest.fixture(scope="module")
def german() -> gettext.GNUTranslations:
    with CATALOGUE.with_suffix(".mo").open("rb") as stream:
        return gettext.GNUTranslations(stream)


def of_python(source: str) -> Iterator[tuple[str, str | None]]:
    """(singular, plural or None) of every call of gettext in the source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if words:
                yield words[0], words[1] if node.func.id.startswith("ngettext") else None


def of_template(source: str) -> Iterator[tuple[str, str | None]]:
    for call in re.finditer(
        r"\b(n?gettext)\(((?:u?(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")(?:,\s*)?)+)", templatize(source)
    ):
        words = ast.literal_eval(f"({call[2].rstrip(', ')},)")
        yield words[0], words[1] if call[1] == "ngettext" else None
    for call in re.finditer(rf"\b_\(({STRING})\)", templatize(source)):
        yield ast.literal_eval(call[1]), None


def sentences() -> dict[tuple[str, str | None], str]:
    found: dict[tuple[str, str | None], str] = {}
    for file in PAGES:
        found |= dict.fromkeys(of_template(file.read_text()), str(file.relative_to(ROOT)))
    for file in CODE:
        found |= dict.fromkeys(of_python(file.read_text()), str(file.relative_to(ROOT)))
    return found


def test_no_sentence_of_the_reader_is_left_in_english(german: gettext.GNUTranslations) -> None:
    found = sentences()
    assert len(found) > 150 and any(plural for _, plural in found)
    missing = []
    for (singular, plural), file in found.items():
        words = [german.gettext(singular)] if plural is None else [german.ngettext(singular, plural, n) for n in (1, 2)]
        keys = [singular] if plural is None else [singular, plural]
        catalogued = singular in german._catalog or (singular, 0) in german._catalog
        if not catalogued or not all(words):
            missing.append(f"{file}: {singular!r}")
        elif any(sorted(FIELD.findall(a)) != sorted(FIELD.findall(b)) for a, b in zip(keys, words, strict=True)):
            missing.append(f"{file}: other fields in the German of {singular!r}")
    assert not missing, "\n".join(missing)


def test_every_word_on_a_reader_page_is_marked_for_translation() -> None:
    """Text that stands in a template outside of a translate tag would stay English."""
    bare = []
    for file in PAGES:
        text = re.sub(
            r"{%\s*comment\s*%}.*?{%\s*endcomment\s*%}|{#.*?#}|<svg.*?</svg>|<kbd>.*?</kbd>",
            " ",
            file.read_text(),
            flags=re.S,
        )
        text = re.sub(r"{%\s*block \w+_class\s*%}.*?{%\s*endblock[^%]*%}", " ", text)
        text = re.sub(r"{%\s*blocktranslate.*?{%\s*endblocktranslate\s*%}", " ", text, flags=re.S)
        text = re.sub(r"{%.*?%}|{{.*?}}|<[^>]*>", " ", text, flags=re.S)
        bare += [f"{file.name}: {word}" for word in re.findall(r"[A-Za-zäöü]{3,}", text)]
    assert not bare, "\n".join(bare)


def test_the_compiled_catalogue_is_fresh(german: gettext.GNUTranslations) -> None:
    text = CATALOGUE.with_suffix(".po").read_text()
    pairs = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n)+)', text, flags=re.M)
    assert len(pairs) > 150
    join = lambda lines: "".join(ast.literal_eval(line) for line in lines.splitlines())  # noqa: E731
    for msgid, msgstr in pairs:
        if join(msgid) and join(msgstr):
            assert german.gettext(join(msgid)) == join(msgstr)
    assert "#, fuzzy" not in text


@pytest.mark.django_db
def test_a_german_browser_gets_german_pages(german: gettext.GNUTranslations) -> None:
    world = make_open()
    client = Client(headers={"accept-language": "de"})
    client.force_login(world.readers[0])
    assert "Arbeitsliste" in client.get("/reading/").content.decode()
    room = client.get(f"/reading/{world.sessions()[0].token}/").content.decode()
    assert 'lang="de"' in room and "Nur für die Forschung" in room and "Research use only" not in room
    body = {"key": str(uuid4()), "presentation": "nothing", "answers": {}}
    reply = client.post("/reading/answers/", body, content_type="application/json")
    sentence = "This image is not in your schedule."
    assert reply.status_code == 404 and reply.json()["error"] == german.gettext(sentence) != sentence
    client.force_login(world.coordinator)
    assert 'lang="en"' in client.get("/studies/").content.decode(), "the desk speaks one language"
