"""The API's page: every address as the schema describes it at this moment, with an example to copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET
from drf_spectacular.generators import SchemaGenerator

from readerstudy.accounts.models import Scope, User
from readerstudy.accounts.tokens import desk_person
from readerstudy.studies.models import Study
from readerstudy.studies.queries import studies_of

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """A value of an address or of an answer."""

    name: str
    type: str
    description: SafeString
    where: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True)
class Answer:
    status: int
    phrase: str
    description: SafeString
    kinds: tuple[str, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Endpoint:
    """One operation of the schema, ready for the page."""

    anchor: str
    method: str
    path: str
    summary: str
    description: tuple[SafeString, ...]
    scopes: tuple[str, ...]
    parameters: tuple[Field, ...]
    answers: tuple[Answer, ...]
    curl: str
    python: str


@login_required
@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    """What the API offers, for those who may read results at all."""
    person = desk_person(request.user)
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    study = _example_study(person)
    address = request.build_absolute_uri("/").rstrip("/")
    context = {
        "info": schema["info"],
        "scopes": Scope.choices,
        "endpoints": list(endpoints(schema, address, str(study.pk) if study else "STUDY")),
        "example": study,
        "address": address,
    }
    return render(request, "api/docs.html", context)


def _example_study(person: User) -> Study | None:
    """The study that examples name, an unblinded one if there is any."""
    own = studies_of(person)
    return own.filter(state=Study.State.UNBLINDED).first() or own.first()


def endpoints(schema: Schema, address: str, study: str) -> Iterator[Endpoint]:
    """Every operation of the schema with examples of this study."""
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            parameters = tuple(_parameter(p) for p in operation.get("parameters", ()))
            url = address + _filled(path, parameters, study)
            answers = tuple(_answer(schema, code, found) for code, found in operation["responses"].items())
            yield Endpoint(
                anchor=operation["operationId"],
                method=method.upper(),
                path=path,
                summary=operation.get("summary", ""),
                description=tuple(map(worded, operation.get("description", "").split("\n\n"))),
                scopes=tuple(scope for needed in operation["security"] for scope in needed.get("token", ())),
                parameters=parameters,
                answers=answers,
                curl=_curl(url, answers[0]),
                python=_python(url, answers[0]),
            )


def _parameter(found: Schema) -> Field:
    schema = found.get("schema", {})
    inner = schema.get("items", schema)
    default = schema.get("default")
    return Field(
        name=found["name"],
        type=type_of(schema),
        description=worded(found.get("description", "")),
        where=found["in"],
        choices=tuple(map(str, inner.get("enum", ()))),
        default="" if default is None else str(default),
    )


def _answer(schema: Schema, status: str, found: Schema) -> Answer:
    content = found.get("content", {})
    fields = tuple(fields_of(schema, next(iter(content.values()))["schema"])) if content else ()
    kinds = tuple(content)
    return Answer(int(status), HTTPStatus(int(status)).phrase, worded(found.get("description", "")), kinds, fields)


def worded(text: str) -> SafeString:
    """Escaped words of the schema; what stands between backticks is code."""
    return mark_safe(re.sub("`{1,2}([^`]+)`{1,2}", r"<code>\1</code>", escape(text)))


def fields_of(schema: Schema, part: Schema, prefix: str = "") -> Iterator[Field]:
    """The fields of an answer, those of inner objects with a dotted name."""
    part = _resolved(schema, part)
    for name, inner in part.get("properties", {}).items():
        item = _resolved(schema, inner)
        several = "array" in _types(item)
        row = _resolved(schema, item["items"]) if several else item
        kind = ("list of objects" if several else "object") if "properties" in row else type_of(item)
        if inner.get("nullable") or "null" in _types(inner) or _null_among(inner):
            kind = kind if kind.endswith("null") else f"{kind} or null"
        description = inner.get("description", "") or item.get("description", "")
        if "enum" in item:
            description = f"{description if '*' not in description else ''} One of {_words(item['enum'])}.".strip()
        yield Field(f"{prefix}{name}", kind, worded(description))
        if "properties" in row:
            yield from fields_of(schema, row, f"{prefix}{name}{'[]' if several else ''}.")


def _words(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values if value is not None)


def _null_among(part: Schema) -> bool:
    return any("null" in _types(option) for option in part.get("oneOf", part.get("anyOf", ())))


def _resolved(schema: Schema, part: Schema) -> Schema:
    """The part itself, whatever references and wrappers lead to it."""
    if "$ref" in part:
        found: Schema = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
        return found
    for wrapper in ("allOf", "oneOf", "anyOf"):
        for option in part.get(wrapper, ()):
            if "null" not in _types(option):
                return _resolved(schema, option)
    return part


def _types(part: Schema) -> list[str]:
    kind = part.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def type_of(part: Schema) -> str:
    """A type in a few words."""
    kinds = [kind for kind in _types(part) if kind != "null"]
    kind = kinds[0] if kinds else ""
    if kind == "array":
        word = f"list of {type_of(part.get('items', {}))}s"
    else:
        word = {"date-time": "date and time", "uuid": "UUID", "binary": "file"}.get(part.get("format", ""), kind)
    return f"{word} or null" if "null" in _types(part) else word


def _filled(path: str, parameters: tuple[Field, ...], study: str) -> str:
    for field in parameters:
        if field.where == "path":
            value = study if field.name == "study" else (field.choices or ("…",))[0]
            path = path.replace(f"{{{field.name}}}", quote(value))
    return path


def _file(answer: Answer, url: str) -> str:
    return "" if "application/json" in answer.kinds else url.rpartition("/")[2]


def _curl(url: str, answer: Answer) -> str:
    save = " --remote-name" if _file(answer, url) else ""
    return f'curl --fail{save} --header "Authorization: Bearer $READERSTUDY_TOKEN" \\\n  {url}'


def _python(url: str, answer: Answer) -> str:
    name = _file(answer, url)
    what = f"    open({json.dumps(name)}, 'wb').write(answer.read())" if name else "    document = json.load(answer)"
    return (
        f"{'import os' if name else 'import json, os'}\nfrom urllib.request import Request, urlopen\n\n"
        "headers = {'Authorization': f\"Bearer {os.environ['READERSTUDY_TOKEN']}\"}\n"
        f"with urlopen(Request({json.dumps(url)}, headers=headers)) as answer:\n{what}"
    )
