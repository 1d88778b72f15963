"""Methods held against each other: a table of metrics by patient, its slices, and one case with all methods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import Avg, Count, Exists, Max, OuterRef, Q, QuerySet
from django.urls import reverse

from inference.methods.register import METHODS
from readerstudy.audit.canonical import sha256_of
from readerstudy.cases.models import Case, Modality
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.queries import changed_settings, level_short, level_title, method_title
from readerstudy.reconstructions.uncertainty import UNITS, samples_of

FEW_PATIENTS = 5
METRICS = ("psnr", "ssim", "nmse")
SHOWN_SLICES = 8
MOST_PANES = 8
PRESETS = {"CT": [("Chest", -600, 1500), ("Abdomen", 50, 400), ("Bone", 400, 1800), ("Brain", 40, 80)]}
_GROUP = (
    "run__method", "run__settings_hash", "run__weights_hash", "run__version", "run__measurement__level",
    "run__measurement__physics", "run__measurement__case__modality",
)  # fmt: skip


@dataclass(frozen=True)
class Spread:
    """Mean and SD over patients of the patients' own means; SD is undefined for one patient."""

    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class MetricsRow:
    """One method with its settings at one level of one modality."""

    key: str
    method: str
    modality: str
    level: float | None
    settings: str
    weights: str
    patients: int
    slices: int
    psnr: Spread
    ssim: Spread
    nmse: Spread
    latency: Mapping[str, float]

    @property
    def title(self) -> str:
        return method_title(self.method)

    @property
    def level_title(self) -> str:
        return level_title(self.level, self.modality)

    @property
    def level_short(self) -> str:
        return level_short(self.level, self.modality)

    @property
    def few(self) -> bool:
        return self.patients < FEW_PATIENTS


def metrics_table(modality: str = "", sort: str = "") -> list[MetricsRow]:
    """Every method x level x modality that has reconstructions; ``sort`` names a column, ``-`` before it turns it."""
    known = modality if modality in Modality.values else ""
    state = Reconstruction.objects.aggregate(last=Max("pk"), n=Count("pk"), failed=Count("pk", filter=Q(pixels="")))
    return _sorted(list(kept_table(known, state["last"], state["n"], state["failed"])), sort)


@lru_cache(maxsize=8)
def kept_table(modality: str, last: int | None, number: int, failed: int) -> tuple[MetricsRow, ...]:
    """The table, kept by this process until the reconstructions are others: their last id and counts say so."""
    return tuple(_table(modality))


def _table(modality: str) -> list[MetricsRow]:
    rows = _finished().exclude(run__method="reference")
    if modality:
        rows = rows.filter(run__measurement__case__modality=modality)
    per_patient = (
        rows.order_by()
        .values_list(*_GROUP, "run__measurement__case__patient")
        .annotate(*(Avg(metric) for metric in METRICS), n=Count("pk"))
    )
    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in per_patient:
        groups[row[: len(_GROUP)]].append(row[len(_GROUP) + 1 :])
    settings, latency = _settings(), _latencies(rows)
    return [_row(group, patients, settings, latency.get(group, {})) for group, patients in groups.items()]


def extreme_slices(row: MetricsRow, metric: str) -> tuple[list[Reconstruction], list[Reconstruction]]:
    """The worst slices of a row of the table by a metric, the worst first, and those around its median."""
    keys = dict(zip(_GROUP, _group_of(row), strict=True))
    order = "-nmse" if metric == "nmse" else metric
    rows = (
        _finished()
        .filter(**keys)
        .exclude(**{metric: None})
        .select_related("slice", "run__measurement__case")
        .order_by(order, "pk")
    )
    middle = max(0, rows.count() // 2 - SHOWN_SLICES // 2)
    return list(rows[:SHOWN_SLICES]), list(rows[middle : middle + SHOWN_SLICES])


def devices(table: list[MetricsRow]) -> list[str]:
    """The devices that any row was timed on: each has its own column, since they can't be compared."""
    return sorted({device for row in table for device in row.latency})


def _finished() -> QuerySet[Reconstruction]:
    return Reconstruction.objects.exclude(pixels="")


def _row(
    group: tuple[Any, ...],
    patients: list[tuple[Any, ...]],
    settings: Mapping[tuple[str, str], Mapping[str, Any]],
    latency: Mapping[str, float],
) -> MetricsRow:
    method, hashed, weights, _version, level, _physics, modality = group
    psnr, ssim, nmse, counts = zip(*patients, strict=True)
    return MetricsRow(
        key=_key(group), method=method, modality=modality, level=level,
        settings=changed_settings(method, settings.get((method, hashed), {})), weights=weights,
        patients=len(patients), slices=sum(counts),
        psnr=_spread(psnr), ssim=_spread(ssim), nmse=_spread(nmse), latency=latency,
    )  # fmt: skip


def _spread(means: tuple[float | None, ...]) -> Spread:
    known = [mean for mean in means if mean is not None]
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(float(np.mean(known)) if known else None, sd)


def _key(group: tuple[Any, ...]) -> str:
    return sha256_of(list(group))[:12]


def _group_of(row: MetricsRow) -> tuple[Any, ...]:
    """The columns that a row of the table stands for."""
    groups = Run.objects.filter(method=row.method, measurement__level=row.level).order_by()
    names = [name.removeprefix("run__") for name in _GROUP]
    for group in groups.values_list(*names).distinct():
        if _key(tuple(group)) == row.key:
            return tuple(group)
    raise LookupError(f"There is no row {row.key} any more: open the table again.")


def _settings() -> dict[tuple[str, str], Mapping[str, Any]]:
    rows = Run.objects.order_by().values_list("method", "settings_hash", "settings").distinct()
    return {(method, hashed): settings for method, hashed, settings in rows}


def _latencies(rows: QuerySet[Reconstruction]) -> dict[tuple[Any, ...], dict[str, float]]:
    """Median milliseconds by group and device."""
    runs = {row[0]: (row[2:], row[1]) for row in Run.objects.order_by().values_list(
        "pk", "device", *(name.removeprefix("run__") for name in _GROUP)
    )}  # fmt: skip
    by_run: dict[UUID, list[float]] = defaultdict(list)
    timed = rows.exclude(latency_ms=None).exclude(run__device="").order_by()
    for pk, milliseconds in timed.values_list("run", "latency_ms"):
        assert milliseconds is not None
        by_run[pk].append(milliseconds)
    samples: dict[tuple[Any, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for pk, some in by_run.items():
        group, device = runs[pk]
        samples[group][device] += some
    return {
        group: {device: float(np.median(some)) for device, some in timed.items()} for group, timed in samples.items()
    }


def _sorted(table: list[MetricsRow], sort: str) -> list[MetricsRow]:
    order = list(METHODS)
    table.sort(
        key=lambda row: (
            row.modality, row.level if row.level is not None else float("inf"),
            order.index(row.method) if row.method in order else len(order), row.method, row.settings,
        )
    )  # fmt: skip
    name, turned = sort.removeprefix("-"), sort.startswith("-")
    known = [(value, row) for row in table if (value := _value(row, name)) is not None]
    if not known:
        return table
    known.sort(key=lambda pair: pair[0], reverse=turned)
    return [row for _, row in known] + [row for row in table if _value(row, name) is None]


def _value(row: MetricsRow, column: str) -> Any:
    """What a column sorts by; None for a value that is not there, and for a column that is not one."""
    if column in METRICS:
        return getattr(row, column).mean
    if column.startswith("latency:"):
        return row.latency.get(column.removeprefix("latency:"))
    return getattr(row, column) if column in {"title", "modality", "level", "patients", "slices"} else None


def runs_of_case(case: Case) -> list[Run]:
    """Runs of a case that have images, apart from the reference: by level, then in the order of the register."""
    made = Reconstruction.objects.filter(run=OuterRef("pk")).exclude(pixels="")
    rows = Run.objects.filter(Exists(made), measurement__case=case).exclude(method="reference")
    order = list(METHODS)
    return sorted(
        rows.select_related("measurement").order_by("-created_at", "pk"),
        key=lambda run: (
            run.measurement.level if run.measurement.level is not None else float("inf"),
            order.index(run.method) if run.method in order else len(order),
        ),
    )


def choose_runs(runs: list[Run], wanted: list[str], level: str) -> list[Run]:
    """The runs to show beside the reference: those named, else those of a level (of most methods where none is)."""
    if named := [run for run in runs if str(run.pk) in wanted]:
        return named[: MOST_PANES - 1]
    by_level: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_level[level_word(run.measurement.level)].append(run)
    with suppress(ValueError):  # "none", or no level at all
        level = level_word(float(level))
    chosen = by_level.get(level) or max(by_level.values(), key=len, default=[])
    return chosen[: MOST_PANES - 1]


def level_word(level: float | None) -> str:
    """A level in an address."""
    return "none" if level is None else f"{level:g}"


def caption(run: Run, modality: str) -> str:
    changed = changed_settings(run.method, run.settings)
    words = [method_title(run.method), level_short(run.measurement.level, modality), changed]
    return ", ".join(word for word in words if word)


def side_by_side(case: Case, runs: list[Run]) -> dict[str, Any]:
    """What the browser needs to show any slice of a case with the reference and these runs beside each other."""
    columns = ("run_id", "slice_id", "pixels", "failure", "uncertainty", "uncertainty_step", *METRICS)
    found = {(row.run_id, row.slice_id): row for row in Reconstruction.objects.filter(run__in=runs).only(*columns)}
    slices = [
        {
            "index": row.index,
            "window": {"center": row.window_center, "width": row.window_width},
            "panes": [
                {"url": reverse("reconstructions:reference_pixels", args=[row.pk]), "note": ""},
                *(_pane(found.get((run.pk, row.pk))) for run in runs),
            ],
        }
        for row in case.slices.order_by("index")
    ]  # fmt: skip
    return {
        "rows": case.rows, "columns": case.columns, "spacing": case.pixel_spacing, "slope": case.slope,
        "intercept": case.intercept, "inverted": case.inverted, "slices": slices,
        "captions": ["Reference", *(caption(run, case.modality) for run in runs)],
        "samples": [1, *(samples_of(run) for run in runs)], "unit": UNITS[case.modality],
        "maps": any(row.uncertainty for row in found.values()),
        "presets": [{"name": n, "center": c, "width": w} for n, c, w in PRESETS.get(case.modality, [])],
    }  # fmt: skip


def _pane(row: Reconstruction | None) -> dict[str, Any]:
    if row is None:
        return {"url": "", "note": "not reconstructed yet"}
    if not row.pixels:
        return {"url": "", "note": row.failure}
    psnr = "∞" if row.psnr is None else f"{row.psnr:.2f}"
    ssim = "–" if row.ssim is None else f"{row.ssim:.3f}"
    nmse = "–" if row.nmse is None else f"{row.nmse:.2g}"
    pane: dict[str, Any] = {
        "url": reverse("reconstructions:pixels", args=[row.pk]),
        "note": f"PSNR {psnr} dB · SSIM {ssim} · NMSE {nmse}",
    }
    if row.uncertainty:
        address = reverse("reconstructions:uncertainty", args=[row.pk])
        pane["deviation"] = {"url": address, "step": row.uncertainty_step}
    return pane
