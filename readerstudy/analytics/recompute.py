"""Recompute an exported zip without a database, and name the first number that comes out differently."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readerstudy.analytics.compute import compute
from readerstudy.analytics.exports import CHECKSUMS
from readerstudy.analytics.grids import FILES, score_file
from readerstudy.analytics.inputs import TABLES, Inputs, facts_from_json
from readerstudy.analytics.lines import InputError, ScoreLine, SetLine, from_csv

CLOSED_FORM_DIGITS, ITERATIVE_DIGITS = 10, 5
ITERATIVE = {"clmm", "clmm_crossed"}
# Names the code that computed, and may differ where the numbers do not.
NOT_COMPARED = {"code_version"}


@dataclass(frozen=True)
class Difference:
    """Where two documents part: a path of keys, and both values."""

    path: str
    exported: Any
    recomputed: Any


@dataclass(frozen=True)
class Recomputation:
    """The recomputed document, how many numbers it holds, and the first difference, if any."""

    document: dict[str, Any]
    numbers: int
    difference: Difference | None


def recompute(path: Path) -> Recomputation:
    """Compute the statistics of an export from its tables; raises ``InputError`` where it is damaged."""
    files = read_zip(path)
    exported = json.loads(files["statistics.json"])
    # Through text and back, so that both sides are plain JSON.
    document: dict[str, Any] = json.loads(json.dumps(compute(inputs_from(files)), allow_nan=False))
    found = next(differences(exported, document), None)
    return Recomputation(document, sum(1 for _ in numbers(document)), found)


def read_zip(path: Path) -> dict[str, bytes]:
    """All files of an export, checked against its checksums; raises ``InputError``."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name} can't be read as a zip file ({error}); export it again.") from error
    if CHECKSUMS not in files:
        raise InputError(f"{path.name} has no {CHECKSUMS}: it is not an export of a study.")
    for row in files[CHECKSUMS].decode().splitlines():
        digest, _, name = row.partition("  ")
        if name not in files:
            raise InputError(f"{name} is missing from {path.name}; export it again.")
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise InputError(f"{name} was changed after the export; export it again.")
    return files


def inputs_from(files: Mapping[str, bytes]) -> Inputs:
    """The tables of an export as inputs; raises ``InputError``."""
    text = {name: content.decode() for name, content in files.items() if name.endswith((".csv", ".json"))}
    try:
        facts = facts_from_json(text["study.json"])
        named = [] if facts.pairwise else [score_file(key, facts.primary_criterion) for key in facts.criteria]
        scores = [line for name in named for line in from_csv(ScoreLine, text[name], name)]
        sets = [
            line for name in ("metrics.csv", "metrics_by_modality.csv") for line in from_csv(SetLine, text[name], name)
        ]
    except KeyError as error:
        raise InputError(f"{error.args[0]} is missing from the export; export it again.") from error
    further: dict[str, Any] = {
        table: tuple(from_csv(TABLES[table], text[name], name)) for table, name in FILES.items() if name in text
    }
    return Inputs(facts, scores=tuple(scores), sets=tuple(sets), **further)


def differences(exported: Any, recomputed: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Every place where two documents differ in a printed digit, in the exported document's order."""
    if isinstance(exported, dict) and isinstance(recomputed, dict):
        for key in [*exported, *(key for key in recomputed if key not in exported)]:
            if key not in NOT_COMPARED:
                absent = "absent"
                yield from differences(exported.get(key, absent), recomputed.get(key, absent), (*path, key))
    elif isinstance(exported, list) and isinstance(recomputed, list) and len(exported) == len(recomputed):
        for index, (old, new) in enumerate(zip(exported, recomputed, strict=True)):
            yield from differences(old, new, (*path, str(index)))
    elif not same(exported, recomputed, ITERATIVE_DIGITS if ITERATIVE & set(path) else CLOSED_FORM_DIGITS):
        yield Difference(".".join(path), exported, recomputed)


def same(exported: Any, recomputed: Any, digits: int) -> bool:
    """Equal when printed with so many significant digits, or nearer than half of the last one."""
    if isinstance(exported, bool) or isinstance(recomputed, bool):
        return exported is recomputed
    if isinstance(exported, int | float) and isinstance(recomputed, int | float):
        if f"{exported:.{digits}g}" == f"{recomputed:.{digits}g}":
            return True
        # Two doubles that differ in their last bit may round apart, and a zero may come out as 1e-17.
        return math.isclose(exported, recomputed, rel_tol=0.5 * 10.0 ** (1 - digits), abs_tol=10.0 ** -(digits + 2))
    return bool(exported == recomputed)


def numbers(document: Any) -> Iterator[float]:
    """Every number of a document."""
    if isinstance(document, Mapping):
        for value in document.values():
            yield from numbers(value)
    elif isinstance(document, list):
        for value in document:
            yield from numbers(value)
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield document
