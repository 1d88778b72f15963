"""A protocol written as the TOML file that reads back the same, with a comment over every section."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from readerstudy.studies.protocol import Protocol

BARE = re.compile(r"[A-Za-z0-9_-]+")
WIDTH = 110
SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def write_toml(protocol: Protocol) -> str:
    """The protocol and its plan as TOML; ``read_toml`` gives back the same."""
    return write_data({**protocol.as_data(), "plan": protocol.plan_as_data()})


def write_data(data: Mapping[str, Any]) -> str:
    """Plain data with the sections as keys, whether or not it is a valid protocol yet."""
    hints, parts = get_type_hints(Protocol), []
    for section in fields(Protocol):
        kind, value = hints[section.name], data.get(section.name)
        if get_origin(kind) is list:
            rows = value if isinstance(value, list) else []
            parts += [_table(get_args(kind)[0], section.name, row, first=i == 0) for i, row in enumerate(rows)]
        elif isinstance(value, Mapping):
            parts.append(_table(kind, section.name, value))
    return "\n".join(parts)


def write_settings(values: Mapping[str, Any]) -> str:
    """A method's settings, one a line."""
    return "\n".join(f"{_key(str(k))} = {_value(v)}" for k, v in values.items() if v is not None)


def _table(kind: Any, name: str, values: Mapping[str, Any], first: bool | None = None) -> str:
    """One section; ``first`` says for a list's section whether it is the first of them."""
    lines = [] if first is False else [f"# {line}".rstrip() for line in _doc(kind)]
    lines.append(f"[{name}]" if first is None else f"[[{name}]]")
    hints, tables = get_type_hints(kind), []
    for f in fields(kind):
        value = values.get(f.name)
        if value is None or (value == {} and f.name != "texts"):
            continue
        if f.name == "texts" and isinstance(value, Mapping):
            tables += ["", f"[{name}.texts]", *(f"{_key(k)} = {_value(v, long=True)}" for k, v in value.items())]
        else:
            lines.append(f"{f.name} = {_value(value, long=True)}{_choices(hints[f.name], value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _doc(kind: Any) -> Iterator[str]:
    for paragraph in inspect.cleandoc(kind.__doc__ or "").split("\n\n"):
        yield from textwrap.wrap(paragraph.replace("``", ""), WIDTH)


def _choices(kind: Any, value: Any) -> str:
    """The other words that could stand here, as a comment."""
    if get_origin(kind) is not Literal:
        return ""
    others = [json.dumps(word) for word in get_args(kind) if word != value]
    return f"  # or {', '.join(others)}"


def _value(value: Any, *, long: bool = False) -> str:
    """One value; ``long`` where text may go over several lines."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(k))} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    text = str(value)
    return _long(text) if long and "\n" in text else f'"{_escaped(text, within_line=True)}"'


def _long(text: str) -> str:
    return f'"""\n{_escaped(text, within_line=False)}"""'


def _escaped(text: str, *, within_line: bool) -> str:
    """TOML's basic string: backslash, quotes and what no editor shows are escaped."""
    made: list[str] = []
    for place, c in enumerate(text):
        if c == "\\" or (c == '"' and (within_line or made[-2:] == ['"', '"'] or place == len(text) - 1)):
            made.append("\\" + c)
        elif c == "\n" and not within_line:
            made.append(c)
        elif c in SHORT:
            made.append(SHORT[c])
        elif ord(c) < 0x20 or ord(c) == 0x7F:
            made.append(f"\\u{ord(c):04x}")
        else:
            made.append(c)
    return "".join(made)


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else f'"{_escaped(key, within_line=True)}"'
