"""One zip with everything a study's numbers were computed from, and the numbers; always the same bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from readerstudy.analytics.dictionary import describe, readme
from readerstudy.analytics.figures import FIGURES, FORMATS, rendered
from readerstudy.analytics.inputs import (
    ImageLine,
    InputError,
    Inputs,
    ScoreLine,
    SetLine,
    facts_from_json,
    facts_json,
    from_csv,
    to_csv,
)

CHECKSUMS = "CHECKSUMS.sha256"
# A fixed date: the zip of the same snapshot has the same bytes whenever it is made.
DATE = (1980, 1, 1, 0, 0, 0)


def inputs_of(statistics: str, scores_csv: str, metrics_csv: str) -> Inputs:
    """The inputs back from what a snapshot keeps; raises ``InputError``."""
    facts = facts_from_json(json.dumps(json.loads(statistics)["study"]))
    sets, images = split_metrics(metrics_csv)
    return Inputs(facts, tuple(from_csv(ScoreLine, scores_csv, "scores")), tuple(sets), tuple(images))


def join_metrics(inputs: Inputs) -> str:
    """Both metric tables in one text, an empty line between them."""
    return to_csv(SetLine, inputs.sets) + "\n" + to_csv(ImageLine, inputs.images)


def split_metrics(text: str) -> tuple[list[SetLine], list[ImageLine]]:
    sets, separator, images = text.partition("\n\n")
    if not separator:
        raise InputError("The stored metrics hold one table instead of two: make a new snapshot.")
    return from_csv(SetLine, sets, "metrics"), from_csv(ImageLine, images, "metrics of images")


def build_zip(statistics: str, inputs: Inputs, chain_head: str) -> bytes:
    """The export of one snapshot; stored without compression, whose bytes depend on the machine's zlib."""
    files = {name: text.encode() for name, text in tables(inputs).items()}
    files["statistics.json"] = statistics.encode()
    for name in FIGURES:
        for kind in FORMATS:
            files[f"figures/{name}.{kind}"] = rendered(name, statistics, kind)
    files["README.txt"] = readme(inputs.facts, sorted([*files, "README.txt", CHECKSUMS]), chain_head).encode()
    files[CHECKSUMS] = checksums(files).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name])
    return stream.getvalue()


def tables(inputs: Inputs) -> dict[str, str]:
    """Every table of the export by file name."""
    facts = inputs.facts
    made = {
        score_file(key, facts.primary_criterion): to_csv(ScoreLine, inputs.scores_of(key)) for key in facts.criteria
    }
    return {
        "study.json": facts_json(facts),
        **made,
        "scores_wide.csv": wide(inputs.scores_of(facts.primary_criterion), facts.readers),
        "metrics.csv": to_csv(SetLine, [line for line in inputs.sets if not line.modality]),
        "metrics_by_modality.csv": to_csv(SetLine, [line for line in inputs.sets if line.modality]),
        "metrics_images.csv": to_csv(ImageLine, inputs.images),
    }


def score_file(criterion: str, primary: str) -> str:
    return "scores.csv" if criterion == primary else f"scores_{criterion}.csv"


def wide(lines: Sequence[ScoreLine], readers: Sequence[str]) -> str:
    """One row per slice, arm and repeat, one column per reader; a simulated reader's column says so.

    The mark stands in the column's name because every other column of a wide table is read as a reader.
    """
    simulated = {line.reader for line in lines if line.simulated}
    rows: dict[tuple[str, str, str, str, str], dict[str, str]] = {}
    for line in lines:
        key = (line.slice, line.arm, line.patient, line.modality, str(line.repeat))
        rows.setdefault(key, {})[line.reader] = line.score
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [f"{reader} (simulated)" if reader in simulated else reader for reader in readers]
    writer.writerow(["slice", "arm", "patient", "modality", "repeat", *names])
    for key, scores in rows.items():
        writer.writerow([*key, *(scores.get(reader, "") for reader in readers)])
    return stream.getvalue()


def checksums(files: Mapping[str, bytes]) -> str:
    """In the format that ``sha256sum -c`` reads."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))


def table_names(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The CSV files of an export with what they hold."""
    facts = facts_from_json(json.dumps(document["study"]))
    scores = [score_file(key, facts.primary_criterion) for key in facts.criteria]
    names = [*scores, "scores_wide.csv", "metrics.csv", "metrics_by_modality.csv", "metrics_images.csv"]
    return [(name, describe(name, facts)) for name in names]
