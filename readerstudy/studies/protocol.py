"""The protocol and the analysis plan as data: read from TOML, checked, and written back the same.

Every section is a frozen dataclass whose fields are the keys of the TOML table; what is wrong is said in one
sentence that names the key.
"""

from __future__ import annotations

import math
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

CATEGORIES = ("1", "2", "3", "4", "5")
CHOICES = ("left", "equal", "right")
FIDELITY_LABELS = ("lost structure", "invented structure")
LONGEST_LABEL = 40
MOST_CHOSEN = 2000
RecordField = Literal["years", "specialty", "board", "cases_per_year", "conflicts"]


class ProtocolError(ValueError):
    """What is wrong with a protocol, in one sentence that names the key and says what to write.

    ``key`` is that key as a path, ``arms[2].levels`` for instance; empty where it is the whole file.
    """

    def __init__(self, sentence: str, key: str = "") -> None:
        super().__init__(sentence)
        named = re.match(r"[a-z_]+(\[\d+\]|\.\w+)*(?=[: ])", sentence)
        self.key = key or (named[0] if named else "")


@dataclass(frozen=True)
class Overview:
    """What the study is, who approved it, what readers agree to and are asked about themselves.

    ``seed`` draws the slices and nothing else.
    """

    title: str
    seed: int
    approval_body: str = ""
    approval_number: str = ""
    registration: str = ""
    consent: str = ""
    reader_record: list[RecordField] = field(default_factory=list)


@dataclass(frozen=True)
class SliceRules:
    """Which slices are eligible, and how many are drawn.

    ``picked`` narrows the frame by hand, to cases (``CT-0001``) or single slices (``CT-0001/3``, counted from 1);
    ``left_out`` takes cases out of it. Either is said on the first page of protocol and report.
    """

    number: int
    stratify: Literal["modality", "none"] = "modality"
    one_per_patient: bool = False
    edge_slices: bool = True
    minimum_body_share: float = 0.0
    anatomy: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    picked: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ArmRule:
    """A method at a level per modality (``{CT = 0.25}``); no level means as acquired."""

    key: str
    title: str
    method: str
    levels: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    role: Literal["compared", "reference", "anchor"] = "compared"


@dataclass(frozen=True)
class CriterionRule:
    """A question with a text for each of 1-5, or for each of left, equal and right in a pairwise design."""

    key: str
    title: str
    question: str
    texts: dict[str, str]


@dataclass(frozen=True)
class Display:
    """What a reader sees and may do; ``check`` is the display check before a session, ``required`` to pass it."""

    reference: Literal["none", "hidden", "beside"] = "none"
    interpolation: Literal["smooth", "nearest"] = "smooth"
    window: Literal["free", "fixed"] = "free"
    zoom: Literal["free", "fixed"] = "free"
    dark_interval_ms: int = 0
    back: int = 1
    context_slices: int = 0
    pixel_statistics: bool = False
    labels: list[str] = field(default_factory=lambda: ["artefact", "noise", "blur", "finding"])
    check: Literal["off", "asked", "required"] = "asked"


@dataclass(frozen=True)
class Sessions:
    """The sittings of a reader, and when one of them is too long or a score too quick."""

    number: int = 4
    minimum_days_apart: int = 0
    break_after_minutes: int = 30
    too_fast_ms: int = 1000


@dataclass(frozen=True)
class DesignRule:
    """The order, and what stands around it.

    ``practice``: images of the training phase; ``fidelity``: share of a session's images shown again beside their
    reference once its scores are final; ``guess_images``: images per arm of the method guess at the very end;
    ``pairs_per_slice``: pairwise only, how many of the pairs of arms are shown of a slice; 0 means all.
    """

    kind: Literal["balanced", "random", "blocked_by_modality", "pairwise"] = "balanced"
    minimum_gap: int = 10
    repeats: float = 0.0
    readers: int = 5
    reserves: int = 2
    practice: int = 0
    fidelity: float = 0.0
    guess_images: int = 5
    pairs_per_slice: int = 0


@dataclass(frozen=True)
class Plan:
    """What will be computed, fixed before the first score."""

    primary_criterion: str
    hypothesis: Literal["superiority", "non-inferiority", "equivalence"] = "superiority"
    comparator: str = ""
    margin: float | None = None
    comparisons: Literal["all pairs", "against comparator"] = "all pairs"
    correction: Literal["bonferroni", "holm", "none"] = "bonferroni"
    alpha: float = 0.05
    readers: Literal["fixed", "random"] = "random"
    missing: Literal["available scores", "complete slices"] = "available scores"
    cannot_judge: Literal["excluded", "worst score"] = "excluded"
    stopping_rule: str = ""
    secondary: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Protocol:
    study: Overview
    slices: SliceRules
    arms: list[ArmRule]
    criteria: list[CriterionRule]
    display: Display
    sessions: Sessions
    design: DesignRule
    plan: Plan

    def as_data(self) -> dict[str, Any]:
        """The protocol without the plan, as plain data (no key that is ``None``)."""
        data: dict[str, Any] = _without_none(asdict(self))
        del data["plan"]
        return data

    def plan_as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = _without_none(asdict(self.plan))
        return data


def read_toml(text: str) -> Protocol:
    """The checked protocol of a TOML file; raises ``ProtocolError``."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(f"The protocol is not valid TOML: {error}.") from error
    return from_data(data)


def from_data(data: Mapping[str, Any]) -> Protocol:
    """The checked protocol of plain data with the sections as keys; raises ``ProtocolError``."""
    protocol: Protocol = _build(Protocol, {"display": {}, "sessions": {}, "design": {}, **data}, "")
    _check_arms(protocol)
    _check_criteria(protocol)
    _check_display(protocol)
    _check_pairs(protocol)
    _check_record(protocol)
    _check_chosen(protocol)
    _check_numbers(protocol)
    _check_plan(protocol)
    return protocol


def _check_arms(protocol: Protocol) -> None:
    if not 2 <= len(protocol.arms) <= 8:
        raise ProtocolError("arms: a study compares 2 to 8 arms.")
    keys = [arm.key for arm in protocol.arms]
    for key in keys:
        if keys.count(key) > 1:
            raise ProtocolError(f"arms: the key {key!r} stands twice; give every arm its own.")
    for number, arm in enumerate(protocol.arms, start=1):
        unknown = set(arm.levels) - {"CT", "MR", "US"}
        if unknown:
            raise ProtocolError(
                f"arms.{arm.key}.levels: write CT, MR or US, not {sorted(unknown)[0]!r}.",
                f"arms[{number}].levels",
            )
    if protocol.display.reference == "hidden" and not any(a.role == "reference" for a in protocol.arms):
        raise ProtocolError('display.reference is "hidden": add an arm with role = "reference".')


def _check_criteria(protocol: Protocol) -> None:
    if not protocol.criteria:
        raise ProtocolError("criteria: ask at least one question.")
    for number, criterion in enumerate(protocol.criteria, start=1):
        wanted = CHOICES if protocol.design.kind == "pairwise" else CATEGORIES
        if set(criterion.texts) != set(wanted) or not all(criterion.texts.values()):
            listed = f"{', '.join(wanted[:-1])} and {wanted[-1]}"
            raise ProtocolError(
                f"criteria.{criterion.key}.texts: write a text for each of {listed}.", f"criteria[{number}].texts"
            )
    if len({c.key for c in protocol.criteria}) != len(protocol.criteria):
        raise ProtocolError("criteria: every criterion needs its own key.")


def _check_display(protocol: Protocol) -> None:
    labels = protocol.display.labels
    for label in labels:
        if not label.strip() or len(label) > LONGEST_LABEL:
            raise ProtocolError(f"display.labels: write each label in 1 to {LONGEST_LABEL} characters.")
        if label in FIDELITY_LABELS:
            raise ProtocolError(f"display.labels: {label!r} exists in the fidelity pass only; choose another word.")
    if len(set(labels)) != len(labels):
        raise ProtocolError("display.labels: every label stands once.")
    if protocol.design.kind == "pairwise" and protocol.display.reference == "beside":
        raise ProtocolError('display.reference: a pairwise design has no room beside its panes; write "none".')
    if protocol.design.kind == "pairwise" and protocol.design.practice:
        raise ProtocolError("design.practice: practice images have grades from 1 to 5, not pairs; write 0.")


def _check_pairs(protocol: Protocol) -> None:
    wanted, arms = protocol.design.pairs_per_slice, len(protocol.arms)
    if not wanted:
        return
    if protocol.design.kind != "pairwise":
        raise ProtocolError("design.pairs_per_slice: only a pairwise design shows pairs; write 0.")
    if not arms - 1 <= wanted <= arms * (arms - 1) // 2:
        raise ProtocolError(
            f"design.pairs_per_slice: {arms} arms are connected by {arms - 1} to {arms * (arms - 1) // 2} pairs; "
            "write a number between these, or 0 for all."
        )


def _check_record(protocol: Protocol) -> None:
    asked = protocol.study.reader_record
    if len(set(asked)) != len(asked):
        raise ProtocolError("study.reader_record: every question stands once.")


def _check_chosen(protocol: Protocol) -> None:
    """What is chosen by hand stands once, and not on both lists."""
    picked, left_out = protocol.slices.picked, protocol.slices.left_out
    for name, listed in (("picked", picked), ("left_out", left_out)):
        if len(listed) > MOST_CHOSEN:
            raise ProtocolError(f"slices.{name}: write at most {MOST_CHOSEN} lines.")
        if len(set(listed)) != len(listed):
            raise ProtocolError(f"slices.{name}: every case or slice stands once.")
    without = set(left_out)
    for entry in picked:
        case, slash, number = entry.partition("/")
        if slash and not re.fullmatch("0{0,3}[1-9][0-9]{0,5}", number):
            raise ProtocolError(f"slices.picked: write a case or a slice as in CT-0001/3, not {entry!r}.")
        if case in without:
            raise ProtocolError(f"slices.left_out: {case} is picked; take it off one of the two lists.")


def _check_numbers(protocol: Protocol) -> None:
    bounds: list[tuple[str, float, float, float]] = [
        ("slices.number", protocol.slices.number, 2, 2000),
        ("slices.minimum_body_share", protocol.slices.minimum_body_share, 0, 1),
        ("sessions.number", protocol.sessions.number, 1, 40),
        ("sessions.minimum_days_apart", protocol.sessions.minimum_days_apart, 0, 365),
        ("design.readers", protocol.design.readers, 1, 100),
        ("design.reserves", protocol.design.reserves, 0, 20),
        ("design.repeats", protocol.design.repeats, 0, 0.5),
        ("design.minimum_gap", protocol.design.minimum_gap, 1, 100),
        ("design.practice", protocol.design.practice, 0, 50),
        ("design.fidelity", protocol.design.fidelity, 0, 1),
        ("design.guess_images", protocol.design.guess_images, 0, 10),
        ("display.back", protocol.display.back, 0, 10),
        ("display.context_slices", protocol.display.context_slices, 0, 10),
        ("display.dark_interval_ms", protocol.display.dark_interval_ms, 0, 5000),
        ("plan.alpha", protocol.plan.alpha, 0.0001, 0.2),
    ]
    for name, value, low, high in bounds:
        if not low <= value <= high:
            raise ProtocolError(f"{name}: write a number from {low:g} to {high:g}, not {value:g}.")
    if not protocol.study.title.strip():
        raise ProtocolError("study.title: give the study a title.")
    if not 0 <= protocol.study.seed < 2**63:
        raise ProtocolError("study.seed: write a whole number from 0 to 2^63 - 1.")


def _check_plan(protocol: Protocol) -> None:
    plan, arms = protocol.plan, {arm.key for arm in protocol.arms}
    if plan.primary_criterion not in {c.key for c in protocol.criteria}:
        raise ProtocolError("plan.primary_criterion: name one of the criteria by its key.")
    if plan.comparator and plan.comparator not in arms:
        raise ProtocolError("plan.comparator: name one of the arms by its key.")
    if plan.comparisons == "against comparator" and not plan.comparator:
        raise ProtocolError("plan.comparator: name the arm that the others are compared with.")
    if plan.hypothesis != "superiority" and not (plan.margin and plan.margin > 0):
        raise ProtocolError(f"plan.margin: {plan.hypothesis} needs a margin above 0 points.")


def _build(kind: Any, value: Any, path: str) -> Any:
    """``value`` as ``kind`` (dataclass, list, dict, literal, scalar or optional), or a sentence naming ``path``."""
    origin = get_origin(kind)
    if kind is Any:
        return _build_any(value, path)
    if origin in (Union, types.UnionType):
        return None if value is None else _build(get_args(kind)[0], value, path)
    if origin is Literal:
        if value not in get_args(kind):
            raise ProtocolError(f"{path}: write one of {', '.join(map(repr, get_args(kind)))}, not {value!r}.")
        return value
    if origin is list:
        if not isinstance(value, list):
            raise ProtocolError(f"{path}: write a list.")
        return [_build(get_args(kind)[0], item, f"{path}[{i + 1}]") for i, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ProtocolError(f"{path}: write a table of keys and values.")
        return {_storable(str(k), path): _build(get_args(kind)[1], v, f"{path}.{k}") for k, v in value.items()}
    if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__"):
        return _build_section(kind, value, path)
    return _build_scalar(kind, value, path)


def _build_section(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, Mapping):
        raise ProtocolError(f"{path or 'The protocol'}: write a table of keys and values.")
    hints, prefix = get_type_hints(kind), f"{path}." if path else ""
    known = {f.name for f in fields(kind)}
    for name in value:
        if name not in known:
            raise ProtocolError(f"{prefix}{name} is not known here; the keys are {', '.join(sorted(known))}.")
    made = {}
    for f in fields(kind):
        if f.name in value:
            made[f.name] = _build(hints[f.name], value[f.name], prefix + f.name)
        elif f.default is MISSING and f.default_factory is MISSING:
            raise ProtocolError(f"{prefix}{f.name} is missing.")
    return kind(**made)


def _build_scalar(kind: type, value: Any, path: str) -> Any:
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise ProtocolError(f"{path}: write {names[kind]}, not {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ProtocolError(f"{path}: write a finite number, not {value!r}.")
    return _storable(value, path) if isinstance(value, str) else value


def _build_any(value: Any, path: str) -> Any:
    """A setting of a method: text, number, truth value, or a list or table of these."""
    if isinstance(value, Mapping):
        return {_storable(str(k), path): _build_any(v, f"{path}.{k}") for k, v in value.items()}
    if isinstance(value, list):
        return [_build_any(item, f"{path}[{i + 1}]") for i, item in enumerate(value)]
    if type(value) not in (str, int, float, bool):
        raise ProtocolError(f"{path}: write text, a number, true or false, not {value!r}.")
    return _build_scalar(type(value), value, path)


def _storable(text: str, path: str) -> str:
    """Text that every database takes: no NUL, no half of a surrogate pair."""
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
        raise ProtocolError(f"{path}: leave out the characters that no database can store.")
    return text


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value
