"""One zip with everything a study's numbers were computed from, and the numbers; always the same bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence

from readerstudy.analytics.dictionary import describe, readme
from readerstudy.analytics.figures import FIGURES, FORMATS, rendered
from readerstudy.analytics.inputs import TABLES, Inputs, facts_json
from readerstudy.analytics.lines import ScoreLine, SetLine, to_csv

CHECKSUMS = "CHECKSUMS.sha256"
# The tables that go out whole, by the name of their file.
FILES = {
    "pairs": "pairs.csv",
    "images": "metrics_images.csv",
    "marks": "annotations.csv",
    "checks": "fidelity_images.csv",
    "guesses": "guesses.csv",
    "sessions": "sessions.csv",
}
# A fixed date: the zip of the same snapshot has the same bytes whenever it is made.
DATE = (1980, 1, 1, 0, 0, 0)


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
    """Every table of the export by file name; one that has no rows in this study is left out."""
    facts = inputs.facts
    made = {"study.json": facts_json(facts)}
    if not facts.pairwise:
        for key in facts.criteria:
            made[score_file(key, facts.primary_criterion)] = to_csv(ScoreLine, inputs.scores_of(key))
        made["scores_wide.csv"] = wide(inputs.scores_of(facts.primary_criterion), facts.readers)
    made["metrics.csv"] = to_csv(SetLine, [line for line in inputs.sets if not line.modality])
    made["metrics_by_modality.csv"] = to_csv(SetLine, [line for line in inputs.sets if line.modality])
    further = {name: getattr(inputs, table) for table, name in FILES.items()}
    kinds = {name: TABLES[table] for table, name in FILES.items()}
    return made | {name: to_csv(kinds[name], lines) for name, lines in further.items() if lines}


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


def table_names(inputs: Inputs) -> list[tuple[str, str]]:
    """The CSV files of an export with what they hold."""
    return [(name, describe(name, inputs.facts)) for name in tables(inputs) if name.endswith(".csv")]
