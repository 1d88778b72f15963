"""One zip with everything a study's numbers were computed from, and the numbers; always the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from readerstudy.analytics.dictionary import IMRMC, describe, readme
from readerstudy.analytics.figures import FIGURES, FORMATS, rendered
from readerstudy.analytics.grids import Grid, grids, makers
from readerstudy.analytics.inputs import Inputs, facts_json
from readerstudy.analytics.marks import annotations_json
from readerstudy.analytics.parquet import parquet
from readerstudy.analytics.workbook import workbook

CHECKSUMS = "CHECKSUMS.sha256"
SCRIPT = Path(__file__).with_name("analysis.R")
# A fixed date: the zip of the same snapshot has the same bytes whenever it is made.
DATE = (1980, 1, 1, 0, 0, 0)


def build_zip(statistics: str, inputs: Inputs, chain_head: str) -> bytes:
    """The export of one snapshot."""
    return pack(export_files(statistics, inputs, chain_head))


def export_files(statistics: str, inputs: Inputs, chain_head: str) -> dict[str, bytes]:
    """Every file of an export by its name, but for the checksums."""
    facts, made = inputs.facts, grids(inputs)
    files = {name: text.encode() for name, text in _texts(inputs, made).items()}
    files["statistics.json"] = statistics.encode()
    for grid in made:
        files[f"parquet/{grid.stem}.parquet"] = parquet(grid, facts, chain_head)
    files["tables.xlsx"] = workbook(made, facts, chain_head)
    if inputs.marks:
        files["annotations.json"] = annotations_json(inputs).encode()
    if not facts.pairwise:
        files["analysis.R"] = SCRIPT.read_bytes()
    files["imrmc_not_applicable.txt"] = IMRMC.encode()
    document = json.loads(statistics)
    for name, figure in FIGURES.items():
        if figure.applies(document):
            files |= {f"figures/{name}.{kind}": rendered(name, statistics, kind) for kind in FORMATS}
    files["README.txt"] = readme(facts, sorted([*files, "README.txt", CHECKSUMS]), chain_head).encode()
    return files


def pack(files: Mapping[str, bytes]) -> bytes:
    """A zip of the files and their checksums; stored without compression, whose bytes depend on the machine's zlib."""
    named = {**files, CHECKSUMS: checksums(files).encode()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(named):
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, named[name])
    return stream.getvalue()


def tables(inputs: Inputs) -> dict[str, str]:
    """Facts and every CSV table of the export by file name; one that has no rows in this study is left out."""
    return _texts(inputs, grids(inputs))


def _texts(inputs: Inputs, made: list[Grid]) -> dict[str, str]:
    return {"study.json": facts_json(inputs.facts)} | {grid.name: grid.csv() for grid in made}


def checksums(files: Mapping[str, bytes]) -> str:
    """In the format that ``sha256sum -c`` reads."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))


def table_names(inputs: Inputs) -> list[tuple[str, str]]:
    """The CSV files of an export with what they hold."""
    return [(name, describe(name, inputs.facts)) for name in makers(inputs)]
