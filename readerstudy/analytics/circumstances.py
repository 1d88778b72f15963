"""What a report says before any number: whose slices, how they were chosen, who had seen them, and who read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from readerstudy.analytics.inputs import StudyFacts
from readerstudy.analytics.lines import RecordLine

ASKED = {
    "years": "Years of experience",
    "specialty": "Specialty",
    "board": "Board-certified",
    "cases_per_year": "Cases per year",
    "conflicts": "Conflicts of interest",
}
NUMBERS = ("years", "cases_per_year")


@dataclass(frozen=True)
class RecordTable:
    """The readers' records by pseudonym: only columns in which somebody said something, and their spread in words."""

    titles: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, str, tuple[tuple[str, bool], ...]], ...]
    summary: str


def circumstances(facts: StudyFacts) -> list[str]:
    """One sentence each; nothing of a study from before these facts were kept."""
    said = []
    if facts.extends:
        said.append(
            f"Extension of \u201c{facts.extends['title']}\u201d (study {facts.extends['study']}): the same slices with "
            "an order, plan and unblinding of its own. The numbers here are of the extension alone; together with "
            "those of the other study they are called pooled."
        )
    return [*said, *facts.chosen, *_looks(facts)]


def _looks(facts: StudyFacts) -> list[str]:
    if not facts.looks:
        return []
    moment = "before this extension was opened" if facts.extends else "before the slices were drawn"
    people, cases, of = (facts.looks[name] for name in ("people", "cases", "of"))
    if not people:
        return [f"Nobody had seen any of the {of} drawn cases unblinded {moment}."]
    who = "1 person" if people == 1 else f"{people} people"
    return [f"{who} had seen {cases} of the {of} drawn cases unblinded (reference or comparison) {moment}."]


def record_table(lines: Sequence[RecordLine]) -> RecordTable | None:
    """The table, or nothing where no reader was asked or nobody has answered."""
    names = [name for name in ASKED if any(getattr(line, name) not in (None, "") for line in lines)]
    if not names:
        return None
    return RecordTable(
        tuple((ASKED[name], name in NUMBERS) for name in names),
        tuple(
            (line.reader, "" if line.state == "active" else line.state, tuple(_cell(line, name) for name in names))
            for line in lines
        ),
        "; ".join(_spread(lines, name) for name in names if name in NUMBERS),
    )


def _cell(line: RecordLine, name: str) -> tuple[str, bool]:
    value = getattr(line, name)
    shown = f"{value:,}" if isinstance(value, int) else value
    return (shown or "\u2013", name in NUMBERS)


def _spread(lines: Sequence[RecordLine], name: str) -> str:
    values = [value for line in lines if (value := getattr(line, name)) is not None]
    return f"{ASKED[name]}: median {median(values):,g}, {min(values):,} to {max(values):,} (n = {len(values)})"
