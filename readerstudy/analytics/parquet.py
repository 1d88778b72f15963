"""Tables of an export as Parquet: typed columns, with the study's identity and hashes in the file's metadata."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from readerstudy.analytics.grids import Grid, Kind, whole_score
from readerstudy.analytics.inputs import RESEARCH_USE, StudyFacts
from readerstudy.analytics.lines import CANNOT_JUDGE

# Nullable everywhere: an empty number is null and never NaN.
TYPES = {Kind.TEXT: "str", Kind.INTEGER: "Int64", Kind.NUMBER: "Float64", Kind.SCORE: "Int64"}


def parquet(grid: Grid, facts: StudyFacts, chain_head: str) -> bytes:
    """One file; the same bytes for the same table and the same version of fastparquet and pandas.

    A score is a whole number or null, and a column of truth values beside it says "cannot judge".
    """
    import fastparquet
    import pandas as pd

    columns: dict[str, Any] = {}
    for place, column in enumerate(grid.columns):
        values = [row[place] for row in grid.rows]
        if column.kind is Kind.SCORE:
            columns[column.name] = pd.array([whole_score(value) for value in values], dtype="Int64")
            refused = [value == CANNOT_JUDGE for value in values]
            columns[refusal_column(column.name)] = pd.array(refused, dtype="bool")
        else:
            columns[column.name] = pd.array(values, dtype=TYPES[column.kind])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        fastparquet.write(
            str(path),
            pd.DataFrame(columns),
            compression="SNAPPY",
            object_encoding="utf8",
            write_index=False,
            custom_metadata=metadata(facts, chain_head),
        )
        return path.read_bytes()


def refusal_column(score: str) -> str:
    """Where "cannot judge" stands: beside ``score``, or beside a reader's column of the wide table."""
    return "cannot_judge" if score == "score" else f"{score} cannot_judge"


def metadata(facts: StudyFacts, chain_head: str) -> dict[str, str]:
    return {
        "notice": RESEARCH_USE,
        "study": facts.study,
        "title": facts.title,
        "protocol_sha256": facts.protocol_hash,
        "plan_sha256": facts.plan_hash,
        "audit_chain_head": chain_head,
        "simulated_readers": str(facts.simulated).lower(),
    }
