"""The protocol as a form: which inputs it has, what stands in them, and the data that they say.

``values`` is a flat mapping of input names to text, as a browser posts it: ``slices.number``, ``arms.0.levels.CT``.
Nothing a person typed is lost: what can't be read stays text, and the protocol says what is wrong with it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from readerstudy.studies.protocol import CATEGORIES, CHOICES, Protocol
from readerstudy.studies.toml import write_settings
from readerstudy.studies.wording import PARTS, WORDS, word

Values = Mapping[str, str]
MODALITIES = ("CT", "MR", "US")
LISTS = ("arms", "criteria")
MOST_ROWS = 12
LONG = {"study.consent", "plan.stopping_rule", "criteria.question"}
# The list from which an input suggests: methods, and the keys of arms and criteria.
SUGGESTIONS = {"arms.method": "methods", "plan.primary_criterion": "criterion-keys", "plan.comparator": "arm-keys"}
SECTIONS = get_type_hints(Protocol)


@dataclass(frozen=True)
class Input:
    """One control: ``kind`` is text, long, number, check, choice, lines or hidden."""

    name: str
    label: str
    help: str
    kind: str
    value: str
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    suggestions: str = ""
    error: str = ""
    focus: bool = False

    @property
    def id(self) -> str:
        return "f-" + self.name.replace(".", "-")

    @property
    def height(self) -> int:
        """Rows of a text box."""
        return min(12, max(2, self.value.count("\n") + 1, len(self.value) // 60 + 1))

    @property
    def unknown(self) -> bool:
        """Whether a choice holds a word that is none of its choices."""
        return bool(self.value) and self.value not in {value for value, _ in self.choices}


@dataclass(frozen=True)
class Group:
    """Inputs that answer one key together: levels, texts, the readers' record."""

    name: str
    label: str
    help: str
    inputs: tuple[Input, ...]
    error: str = ""
    is_group: bool = True

    @property
    def id(self) -> str:
        return "f-" + self.name.replace(".", "-")

    @property
    def texts(self) -> bool:
        """Whether its inputs are sentences, that need a line each."""
        return any(one.kind == "text" for one in self.inputs)


@dataclass(frozen=True)
class Row:
    """One arm or criterion with its inputs."""

    number: int
    name: str
    inputs: tuple[Input | Group, ...]


@dataclass(frozen=True)
class FormPart:
    """A part of the form; ``rows`` where it is a list."""

    key: str
    title: str
    lead: str
    inputs: tuple[Input | Group, ...]
    rows: tuple[Row, ...]
    listed: bool
    error: str = ""


def kind_of(name: str) -> Any:
    """The type of a key such as ``slices.number`` or ``arms.levels``."""
    section, field = name.split(".")
    holder = SECTIONS[section]
    return get_type_hints(get_args(holder)[0] if get_origin(holder) is list else holder)[field]


def is_optional(kind: Any) -> bool:
    return get_origin(kind) is not None and type(None) in get_args(kind)


# From data to what stands in the inputs


def values_of(data: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the inputs for a protocol's data (the plan under ``plan``), defaults filled in."""
    values: dict[str, str] = {}
    for name in _names():
        section, field = name.split(".")
        if section not in LISTS:
            _spread(values, name, kind_of(name), data.get(section, {}).get(field, _default(name)))
    for section in LISTS:
        for number, row in enumerate(data.get(section, [])):
            for field in _row_fields(section):
                found = row.get(field, _default(f"{section}.{field}"))
                _spread(values, f"{section}.{number}.{field}", kind_of(f"{section}.{field}"), found)
    return values


def _names() -> Iterator[str]:
    for part in PARTS:
        for name in part.names:
            yield from (f"{name}.{field}" for field in _row_fields(name)) if name in LISTS else [name]


def _row_fields(section: str) -> list[str]:
    return [f.name for f in fields(get_args(SECTIONS[section])[0])]


def _default(name: str) -> Any:
    section, field = name.split(".")
    holder = SECTIONS[section]
    kind = get_args(holder)[0] if get_origin(holder) is list else holder
    found = next(f for f in fields(kind) if f.name == field)
    if found.default is not MISSING:
        return found.default
    return found.default_factory() if found.default_factory is not MISSING else None


def _spread(values: dict[str, str], name: str, kind: Any, value: Any) -> None:
    """Write one key's value into its input or inputs."""
    if kind is bool:
        values.update({name: "on"} if value is True else {})
    elif _chosen_from(kind):
        values.update({f"{name}.{one}": "on" for one in value if one in _chosen_from(kind)})
    elif get_origin(kind) is list:
        values[name] = "\n".join(map(_line, value))
    elif get_origin(kind) is dict and name.endswith(".settings"):
        values[name] = write_settings(value)
    elif get_origin(kind) is dict:
        values.update({f"{name}.{key}": _text(one) for key, one in value.items()})
    else:
        values[name] = _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _line(text: Any) -> str:
    """A list's item on a line of its own; in JSON's quotes where it would not survive that."""
    item = str(text)
    plain = item == item.strip() != "" and item[0] != '"' and item.splitlines() == [item]
    return item if plain else json.dumps(item)


def _chosen_from(kind: Any) -> tuple[str, ...]:
    """The words of a list of choices, () for anything else."""
    inner = get_args(kind)[0] if get_origin(kind) is list else None
    return get_args(inner) if get_origin(inner) is Literal else ()


# From what was posted to data


def data_of(values: Values) -> dict[str, Any]:
    """The protocol's data as the inputs say it; what can't be read stays text for the protocol to refuse."""
    data: dict[str, Any] = {section: {} for section in SECTIONS if section not in LISTS}
    for name in _names():
        section, field = name.split(".")
        if section not in LISTS:
            _gather(data[section], field, values, name, kind_of(name))
    answers = answers_of(values)
    for section in LISTS:
        data[section] = [_row(section, number, values, answers) for number in rows_of(values, section)]
    return data


def _row(section: str, number: int, values: Values, answers: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in _row_fields(section):
        _gather(row, field, values, f"{section}.{number}.{field}", kind_of(f"{section}.{field}"))
    if section == "criteria":
        row["texts"] = {a: row["texts"][a] for a in answers if a in row["texts"]}
    return row


def rows_of(values: Values, section: str) -> list[int]:
    """The numbers of the rows that were posted, in order."""
    found = {int(m[1]) for name in values if (m := re.match(rf"{section}\.(\d{{1,3}})\.", name))}
    return sorted(found)[:MOST_ROWS]


def answers_of(values: Values) -> tuple[str, ...]:
    """The answers that the design asks for: 1 to 5, or left, equal and right."""
    return CHOICES if values.get("design.kind") == "pairwise" else CATEGORIES


def _gather(into: dict[str, Any], field: str, values: Values, name: str, kind: Any) -> None:
    """Read one key from its input or inputs; a key that is not posted takes its default."""
    if kind is bool:
        into[field] = name in values
    elif chosen := _chosen_from(kind):
        into[field] = [one for one in chosen if f"{name}.{one}" in values]
    elif get_origin(kind) is dict and field != "settings":
        inside = {key.removeprefix(f"{name}."): text for key, text in values.items() if key.startswith(f"{name}.")}
        if get_args(kind)[1] is str:
            into[field] = {key: _lines(text) for key, text in inside.items() if text}
        else:
            into[field] = {key: _scalar(get_args(kind)[1], text) for key, text in inside.items() if text.strip()}
    elif name not in values:
        return
    elif get_origin(kind) is list:
        into[field] = [_item(line) for line in _lines(values[name]).split("\n") if line.strip()]
    elif get_origin(kind) is dict:
        into[field] = _settings(values[name])
    elif not (is_optional(kind) and not values[name].strip()):
        into[field] = _scalar(kind, values[name])


def _settings(text: str) -> Any:
    try:
        return tomllib.loads(_lines(text))
    except tomllib.TOMLDecodeError:
        return text


def _scalar(kind: Any, text: str) -> Any:
    if get_origin(kind) in (Union, type(int | None)):
        kind = get_args(kind)[0]
    if kind not in (int, float):
        return _lines(text)
    try:
        return kind(text.strip())
    except ValueError:
        return text


def _lines(text: str) -> str:
    """Browsers send CR LF for the end of a line."""
    return text.replace("\r\n", "\n")


def _item(line: str) -> str:
    if line.startswith('"'):
        try:
            read = json.loads(line)
            return read if isinstance(read, str) else line
        except ValueError:
            return line
    return line.strip()


# Rows come and go


def without_row(values: Values, section: str, number: int) -> dict[str, str]:
    """What stands in the inputs without one arm or criterion; the rest moves up."""
    return _renumbered(values, section, [n for n in rows_of(values, section) if n != number])


def with_row(values: Values, section: str) -> dict[str, str]:
    """What stands in the inputs with one more arm or criterion at the end, under a key of its own."""
    rows = rows_of(values, section)
    made = _renumbered(values, section, rows)
    if len(rows) >= MOST_ROWS:
        return made
    keys = {made.get(f"{section}.{n}.key", "") for n in range(len(rows))}
    stem = {"arms": "arm", "criteria": "criterion"}[section]
    key = next(name for n in range(len(rows) + 1, 99) if (name := f"{stem}_{n}") not in keys)
    made[f"{section}.{len(rows)}.key"] = key
    return made


def _renumbered(values: Values, section: str, rows: list[int]) -> dict[str, str]:
    place = {str(old): str(new) for new, old in enumerate(rows)}
    made: dict[str, str] = {}
    for name, text in values.items():
        head, _, rest = name.partition(".")
        old, _, field = rest.partition(".")
        if head != section:
            made[name] = text
        elif old in place:
            made[f"{section}.{place[old]}.{field}"] = text
    return made


# What the page shows


def form_parts(values: Values, error: tuple[str, str] = ("", ""), focus: str = "") -> list[FormPart]:
    """The form as it stands; ``error`` is (key, sentence), put beside the input of that key."""
    shown = _Shown(values, input_name(error[0]), error[1], focus)
    return [shown.part(part.key, part.title, part.lead, part.names) for part in PARTS]


def input_name(key: str) -> str:
    """The input of a protocol's key: ``arms[2].levels`` is ``arms.1.levels``."""
    return re.sub(r"\[(\d+)\]", lambda m: f".{int(m[1]) - 1}", key)


class _Shown:
    """Makes the inputs of one form."""

    def __init__(self, values: Values, wrong: str, sentence: str, focus: str) -> None:
        self.values, self.wrong, self.sentence, self.focus = values, wrong, sentence, focus

    def part(self, key: str, title: str, lead: str, names: tuple[str, ...]) -> FormPart:
        listed = names[0] in LISTS
        rows = tuple(self._row(names[0], number) for number in rows_of(self.values, names[0])) if listed else ()
        inputs = () if listed else tuple(self._control(name, name) for name in names)
        return FormPart(key, title, lead, inputs, rows, listed, self._error(key) if listed else "")

    def _row(self, section: str, number: int) -> Row:
        title = self.values.get(f"{section}.{number}.title") or self.values.get(f"{section}.{number}.key", "")
        controls = [self._control(f"{section}.{f}", f"{section}.{number}.{f}") for f in _row_fields(section)]
        broad = [c for c in controls if isinstance(c, Group) or c.kind in ("lines", "long")]
        return Row(number, title, (*(c for c in controls if c not in broad), *broad))

    def _control(self, key: str, name: str) -> Input | Group:
        kind, (label, help_text) = kind_of(key), WORDS[key]
        if chosen := _chosen_from(kind):
            return self._group(name, label, help_text, [(one, word(one), "check") for one in chosen])
        if key == "arms.levels":
            return self._group(name, label, help_text, [(m, word(m), "number") for m in MODALITIES])
        if key == "criteria.texts":
            return self._group(name, label, help_text, self._answers(name))
        choices = tuple((one, word(one)) for one in get_args(kind)) if get_origin(kind) is Literal else ()
        required = _default(key) is None and not is_optional(kind)
        shape = self._kind(key, kind, name)
        error = self._error(name) or (self._within(name) if shape == "lines" else "")
        return Input(
            name, label, help_text, shape, self.values.get(name, ""), required, choices, SUGGESTIONS.get(key, ""),
            error, name == self.focus,
        )  # fmt: skip

    def _answers(self, name: str) -> list[tuple[str, str, str]]:
        """The texts that the design asks for; those of another design stay in the page, so that none is lost."""
        asked = answers_of(self.values)
        others = [a for a in (*CATEGORIES, *CHOICES) if a not in asked and self.values.get(f"{name}.{a}")]
        return [*((a, word(a), "text") for a in asked), *((a, word(a), "hidden") for a in others)]

    def _kind(self, key: str, kind: Any, name: str) -> str:
        if get_origin(kind) is Literal:
            return "choice"
        if get_origin(kind) in (list, dict):
            return "lines"
        if kind is bool:
            return "check"
        if kind is not str:
            return "number"
        return "long" if key in LONG or "\n" in self.values.get(name, "") else "text"

    def _group(self, name: str, label: str, help_text: str, inside: list[tuple[str, str, str]]) -> Group:
        inputs = tuple(
            Input(own := f"{name}.{key}", title, "", kind, self.values.get(own, ""), error=self._error(own))
            for key, title, kind in inside
        )
        return Group(name, label, help_text, inputs, self._error(name))

    def _error(self, name: str) -> str:
        return self.sentence if name == self.wrong else ""

    def _within(self, name: str) -> str:
        return self.sentence if self.wrong.startswith(f"{name}.") else ""
