"""The facts of a case that a person may correct until a study uses it, and the verb that does it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.cases import store
from readerstudy.cases.actions import CaseError, require_coordinator
from readerstudy.cases.describe import Description, Window, describe, usual_window
from readerstudy.cases.models import Case, Modality, Slice
from readerstudy.cases.storing import actor

SPACINGS = ("row_spacing", "column_spacing", "slice_spacing")
WINDOW = ("window_center", "window_width")
TEXTS = {"anatomy": 40, "plane": 20}
AUTOMATIC = "automatic_window"
FACTS = ("modality", *TEXTS, *SPACINGS, *WINDOW)
# What the images of a run, their metrics and the files handed out were made with.
MEASURED = frozenset({"modality", *SPACINGS})
LARGEST_SPACING = 20.0
LARGEST_RATIO = 10.0
LARGEST_VALUE = 1e6


def fixed(case: Case) -> str:
    """Why nothing of the case can be changed any more, as a sentence; empty where it can."""
    if case.state == Case.State.WITHDRAWN:
        return f"Case {case.pseudonym} is withdrawn: nothing of it changes any more."
    if case.frozen_at:
        since = f"{case.frozen_at:%Y-%m-%d}"
        return f"Case {case.pseudonym} is in use by a study since {since}: nothing of it changes any more."
    return ""


def measured(case: Case) -> str:
    """Why modality and spacing stay, as a sentence; empty where nothing was made of the case yet."""
    if not case.measurements.exists():
        return ""
    return (
        f"Case {case.pseudonym} was measured or reconstructed with this modality and spacing, so they stay: "
        "if they are wrong, withdraw the case and use another."
    )


def change_case(case: Case, by: User, changes: Mapping[str, Any], reason: str) -> Case:
    """Correct facts of a case that no study uses yet; raises ``CaseError`` with the field that is wrong.

    ``changes``: any of ``FACTS``, spacings in mm or None. ``window_center`` and ``window_width`` go together and hold
    for every slice; ``automatic_window: True`` gives every slice the window that an import would give it, which is
    also what happens when the modality changes without a window.
    """
    require_coordinator(by)
    wanted = _checked(changes)
    if not reason.strip():
        raise CaseError("Say why the facts are corrected, for example “the header named another region”.", "reason")
    seen = Case.objects.get(pk=case.pk)
    _require_open(seen, wanted)
    described = _described(seen, wanted)
    with transaction.atomic():
        row = Case.objects.select_for_update().get(pk=case.pk)
        _require_open(row, wanted)
        if row.modality != seen.modality:
            raise CaseError("Someone else changed this case a moment ago: look at it again.")
        changed = _apply(row, wanted, described)
        if not changed:
            raise CaseError("These are the facts that the case has: change at least one, or leave the page.")
        data = {"case": row.pseudonym, "changed": changed, "reason": reason.strip()[:400]}
        record(INSTALLATION, actor(by), "case.change", f"case:{row.pk}", data)
    return row


def windows(case: Case) -> list[list[float]]:
    """Centre and width of the case's slices in order; a single pair where all are alike."""
    pairs = [list(pair) for pair in case.slices.order_by("index").values_list(*WINDOW)]
    return pairs[:1] if pairs and all(pair == pairs[0] for pair in pairs) else pairs


def automatic_window(case: Case, anatomy: str, stored: NDArray[np.uint16]) -> Window:
    """The window that an import would give one slice of the case, from its stored numbers (rows, columns)."""
    if usual := usual_window(case.modality, anatomy):
        return usual
    if stored.min() == stored.max():
        return Window(case.window_center, case.window_width)
    return describe(stored[None], case.slope, case.intercept, case.modality, anatomy).slices[0].window


def _checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as they are stored: texts trimmed and in small letters, numbers as floats."""
    if strange := set(changes) - {*FACTS, AUTOMATIC}:
        raise CaseError(f"A case has no fact {min(strange)}: change {', '.join(FACTS)}.")
    wanted = dict(changes)
    if wanted.get("modality", Modality.CT) not in Modality.values:
        raise CaseError(f"Choose one of {', '.join(Modality.values)}.", "modality")
    for name, longest in TEXTS.items():
        if name in wanted:
            wanted[name] = " ".join(str(wanted[name]).split()).lower()
            if len(wanted[name]) > longest:
                raise CaseError(f"Write it in {longest} characters at most; these are {len(wanted[name])}.", name)
    for name in SPACINGS:
        if wanted.get(name) is not None:
            wanted[name] = _number(name, wanted[name])
            if not 0 < wanted[name] <= LARGEST_SPACING:
                raise CaseError(f"Give a spacing above 0 and up to {LARGEST_SPACING:g} mm, or leave it empty.", name)
    if wanted.pop(AUTOMATIC, False):
        if set(WINDOW) & set(wanted):
            raise CaseError("Choose the automatic window, or give one; not both.", "window_center")
        wanted[AUTOMATIC] = True
    elif set(WINDOW) & set(wanted):
        for name in WINDOW:
            wanted[name] = _number(name, wanted.get(name))
        if wanted["window_width"] <= 0:
            raise CaseError("Give a width above 0.", "window_width")
    return wanted


def _number(name: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise CaseError("Give a number.", name) from error
    if not math.isfinite(found) or abs(found) > LARGEST_VALUE:
        raise CaseError(f"Give a number between -{LARGEST_VALUE:,.0f} and {LARGEST_VALUE:,.0f}.", name)
    return found


def _require_open(row: Case, wanted: Mapping[str, Any]) -> None:
    """Refuse what a study, a run or the pixels themselves forbid."""
    if sentence := fixed(row):
        raise CaseError(sentence)
    differing = [name for name in FACTS if name in wanted and wanted[name] != getattr(row, name)]
    touched = [name for name in differing if name in MEASURED]
    if touched and (sentence := measured(row)):
        raise CaseError(sentence, touched[0])
    if "modality" in differing and row.phantom:
        raise CaseError(f"Case {row.pseudonym} was drawn as {row.modality}: draw another phantom instead.", "modality")
    _require_pair(*(wanted.get(name, getattr(row, name)) for name in SPACINGS[:2]))


def _require_pair(rows: float | None, columns: float | None) -> None:
    """Rows and columns have a spacing or neither has, and pixels are no stripes, which no screen could show."""
    if (rows is None) != (columns is None):
        empty = "row_spacing" if rows is None else "column_spacing"
        raise CaseError("Give the spacing of rows and of columns, or neither.", empty)
    if rows and columns and max(rows, columns) > LARGEST_RATIO * min(rows, columns):
        raise CaseError(
            f"Give spacings of rows and columns that differ at most {LARGEST_RATIO:g} times.", "row_spacing"
        )


def _described(seen: Case, wanted: Mapping[str, Any]) -> Description | None:
    """The case described from its pixels, where the changes need that: another modality, or MR's own windows."""
    modality = wanted.get("modality", seen.modality)
    automatic = wanted.get(AUTOMATIC) and usual_window(modality, "") is None
    if modality == seen.modality and not automatic:
        return None
    try:
        stack = np.stack(
            [store.get_slice(row.pixels, seen.rows, seen.columns) for row in seen.slices.order_by("index")]
        )
    except store.PixelsMissing as error:
        raise CaseError(str(error)) from error
    if modality != seen.modality:
        _require_values(seen, modality, stack)
    return describe(stack, seen.slope, seen.intercept, modality, wanted.get("anatomy", seen.anatomy))


def _require_values(case: Case, modality: str, stack: NDArray[np.uint16]) -> None:
    """Refuse a modality whose values the stored ones can't be; only a new import reads the files another way."""
    low, high = (case.intercept + case.slope * int(stored) for stored in (stack.min(), stack.max()))
    why = ""
    if modality == Modality.CT and low >= 0:
        why = f"no value lies below 0 (they begin at {low:g}), so these are no Hounsfield units"
    elif modality == Modality.US and not (low >= 0 and high <= 255):
        why = f"the values go from {low:g} to {high:g}, and ultrasound's grey levels from 0 to 255"
    elif modality == Modality.MR and low < 0:
        why = f"the values begin at {low:g}, and magnitudes at 0"
    if why:
        label = Modality(modality).label
        raise CaseError(
            f"Case {case.pseudonym} can't be {label}: {why}. Import its files again with the right modality in their "
            "header, and withdraw this case.", "modality",
        )  # fmt: skip


def _apply(row: Case, wanted: Mapping[str, Any], described: Description | None) -> dict[str, Any]:
    """Write what differs; returns before and after of each changed fact."""
    before = {name: getattr(row, name) for name in (*FACTS, "data_range")}
    slices, shown = list(row.slices.order_by("index")), windows(row)
    for name in ("modality", *TEXTS, *SPACINGS):
        setattr(row, name, wanted.get(name, before[name]))
    anew = row.modality != before["modality"]
    if anew and described:
        row.data_range = described.data_range
        _redescribe(row, slices, described)
    if anew or wanted.keys() & {AUTOMATIC, *WINDOW}:
        _set_windows(row, slices, wanted, described)
        Slice.objects.bulk_update(slices, ["body_share", "edge", *WINDOW], batch_size=200)
    changed = {name: [old, getattr(row, name)] for name, old in before.items() if getattr(row, name) != old}
    row.save(update_fields=list(changed))
    if (now := windows(row)) != shown:
        changed["slice_windows"] = [shown, now]
    return changed


def _redescribe(row: Case, slices: list[Slice], found: Description) -> None:
    volume = row.modality != Modality.US and len(slices) > 2
    for part, own in zip(slices, found.slices, strict=True):
        part.body_share, part.edge = own.body_share, volume and part.index in (0, len(slices) - 1)


def _set_windows(row: Case, slices: list[Slice], wanted: Mapping[str, Any], described: Description | None) -> None:
    """One window for all, or the automatic one, which is each slice's own where it comes from pixels."""
    usual = usual_window(row.modality, row.anatomy)
    if "window_center" in wanted:
        usual = Window(wanted["window_center"], wanted["window_width"])
    own = [usual or part.window for part in described.slices] if described else [usual] * len(slices)
    whole = usual or (described.window if described else None)
    targets: list[Case | Slice] = [row, *slices]
    for target, window in zip(targets, [whole, *own], strict=True):
        if window is not None:
            target.window_center, target.window_width = window.center, window.width
