"""Inputs with everything that a table can hold, without a database: marks, words that look like formulas, gaps."""

from __future__ import annotations

import json
from dataclasses import replace

from readerstudy.analytics.inputs import ArmFacts, Inputs, StudyFacts
from readerstudy.analytics.lines import (
    CheckLine,
    GuessLine,
    ImageLine,
    MarkLine,
    PairLine,
    ScoreLine,
    SessionLine,
    SetLine,
)

CHAIN_HEAD = "c" * 64
# What a spreadsheet program would run, follow, count or choke on.
WORDS = (
    "=HYPERLINK(\"http://127.0.0.1\", \"x\")", "+1+1", "-2", "@SUM(A1)", "{=1}", "0012", "1e5", "TRUE", "NA",
    "http://example.org", "mailto:x@example.org", "<r><t>x</t></r>", "<r></r>",
    "a < b & c > \"d\"", "two\nlines", " padded ",
    "tab\tbetween", "bell\x07", "_x0041_", "Gefäß, 2 µm ±", "𝔘 astral", "'quoted", "a,b;c",
)  # fmt: skip
FACTS = StudyFacts(
    study="00000000-0000-4000-8000-000000000000",
    title="Reading, of = methods",
    protocol_hash="a" * 64,
    plan_hash="b" * 64,
    plan={"primary_criterion": "quality"},
    criteria={"quality": "Quality", "sharpness_of_small_vessels_and_edges": "Sharpness"},
    categories=[1, 2, 3, 4, 5],
    arms=[ArmFacts("tv", "TV", "tv", "compared", {"CT": 0.25}, {})],
    readers=["R1", "R2"],
    seed=0,
    draws=50,
    simulated=False,
    labels=["vessel"],
)


def inputs() -> Inputs:
    where = {"patient": "P-1", "modality": "CT", "simulated": 0}
    scores = tuple(
        ScoreLine(
            slice=f"S00{row}",
            arm="tv",
            reader=reader,
            score=score,
            session=1,
            repeat=0,
            criterion=criterion,
            position=row,
            seconds=None if score == "" else 1 / 3 + row,
            idle_s=0.1,
            **where,
        )
        for criterion in FACTS.criteria
        for row, (first, second) in enumerate((("1", "NA"), ("", "5"), ("3", "")), start=1)
        for reader, score in (("R1", first), ("R2", second))
    )
    marks = tuple(
        MarkLine(
            slice="S001",
            arm="tv",
            reader="R1",
            session=1,
            phase="scores",
            label="vessel",
            shape="line",
            points=json.dumps([[0.1 + place, 2.0], [3.5, 4.0]]),
            frame_offset=0,
            length_mm=None if place else 0.1 + 0.2,
            confidence=None,
            consequence="",
            comment=word,
            **where,
        )
        for place, word in enumerate(WORDS)
    )
    return Inputs(
        FACTS,
        scores=scores,
        sets=(
            SetLine("tv", "", 131.00000000000003, None, None, 1e-17, 3, 1, "3 images are too few", 0),
            SetLine("tv", "CT", None, None, None, None, 0, 0, "", 0),
        ),
        images=(
            ImageLine("tv", "CT", "P-1", "S001", None, 0.1 + 0.2, 1e-300, 5e20, 100.0, "cpu", "d" * 64, "e" * 64, 0),
        ),
        marks=marks,
        checks=(CheckLine("S001", "tv", "R1", "P-1", "CT", 2, 1, 0),),
        guesses=tuple(GuessLine("S001", "tv", "", "R1", "P-1", "CT", word, 0) for word in WORDS),
        sessions=(SessionLine("R1", 1, 3, 2, 1, 0, 12.5, "passed", "1920x1080", None, "dim", "no", 0),),
    )


def pairwise() -> Inputs:
    line = PairLine("S001", "tv", "tv", "R1", "left", "P-1", "CT", 1, 0, "quality", 1, 2.5, 0)
    return Inputs(replace(FACTS, pairwise=True, categories=[]), pairs=(line,))
