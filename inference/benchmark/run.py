"""``python -m inference benchmark``: from cases to tables, figures and montages.

Stopped and run again, it goes on from the images it has made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference.benchmark import stated
from inference.benchmark.arms import ARMS, METHODS, Bench, Progress
from inference.benchmark.cases import BenchmarkCase, CaseSet, counted, load_cases
from inference.benchmark.fidelity_tables import (
    Measured,
    SliceRow,
    comparisons,
    measure,
    reference_features,
    summary,
)
from inference.benchmark.figures import fidelity_figure, latency_figure, montage, steps_figure
from inference.benchmark.latency import latency_anova, table6, timed_slice
from inference.benchmark.report import write_report
from inference.benchmark.steps import table7
from inference.methods.register import WEIGHTS, card_patients, weights_path
from inference.metrics.features import BACKBONE_FILE

TABLES = (3, 4, 6, 7)


@dataclass(frozen=True)
class Options:
    """What a benchmark runs. 0 in a count: everything, in a matrix: the images as they are.

    The command line fills in smaller counts on a CPU.
    """

    cases: Path
    out: Path
    size: str = "small"
    device: str = "cpu"
    tables: tuple[int, ...] = TABLES
    weights: Path | None = None
    per_patient: int = 0
    matrix: int = 0
    repeats: int = 50
    step_slices: int = 16
    step_matrix: int = 0


def run(options: Options, progress: Progress) -> str:
    """Make the tables and write them under ``options.out``; the Markdown is returned.

    Raises ValueError and FileNotFoundError with one sentence on what to do.
    """
    _check(options)
    if options.device == "cpu":
        torch.set_num_threads(1)
    bench = Bench(options.out / "images", options.device, options.weights)
    known = known_patients(options)
    tables: dict[str, Any] = {}
    rows: list[SliceRow] = []
    cases, subset = CaseSet([]), CaseSet([])
    if {3, 4} & set(options.tables):
        cases = load_cases(options.cases, known, options.per_patient, options.matrix)
        rows = _fidelity(options, bench, cases, tables, progress)
    if 6 in options.tables:
        tables["table6"], samples = table6(bench, options.repeats, progress)
        tables["latency_anova"] = latency_anova(samples)
    if 7 in options.tables:
        subset = _subset(load_cases(options.cases, known, 0, options.step_matrix), options.step_slices)
        tables["table7"] = table7(bench, subset.cases, progress)
    tables = {"stated": _stated(options, cases, subset), **tables}
    text = write_report(options.out, tables, rows)
    if "table6" in tables:
        latency_figure(tables["table6"], options.out / "table6.svg")
    if "table7" in tables:
        steps_figure(tables["table7"], options.out / "table7.svg")
    return text


def _check(options: Options) -> None:
    unknown = sorted(set(options.tables) - set(TABLES))
    if unknown or not options.tables:
        raise ValueError(f"There is no table {unknown[0] if unknown else ''}: choose from 3, 4, 6 and 7.")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("No CUDA device is at hand: leave --device out to run on the CPU.")
    if options.size == "paper" and options.weights is None:
        raise ValueError(
            "No paper-size weights are shipped: train them with `python -m inference train METHOD --preset paper` "
            "and give their folder with --weights."
        )
    for key, path in _weights(options).items():
        if not path.is_file():
            raise FileNotFoundError(f"The weights {path} are missing: train {key} or give another folder.")


def known_patients(options: Options) -> frozenset[str]:
    """Whom any weights have met, FID-Med's network among them: its distance is biased on slices it was trained on."""
    cards = [*_weights(options).values(), WEIGHTS / BACKBONE_FILE]
    return frozenset().union(*(card_patients(path) for path in cards))


def _weights(options: Options) -> dict[str, Path]:
    shipped = {key: weights_path(key) for key in METHODS}
    return {k: options.weights / p.name if options.weights else p for k, p in shipped.items() if p is not None}


def _fidelity(
    options: Options, bench: Bench, cases: CaseSet, tables: dict[str, Any], progress: Progress
) -> list[SliceRow]:
    """Tables 3 and 4, the comparisons, their figure and the montages."""
    references = reference_features(cases.cases)
    images: dict[str, list[NDArray[np.float32]]] = {}
    measured: dict[str, Measured] = {}
    for key, spec in ARMS.items():
        images[key] = bench.restore(spec, cases.cases, progress)
        measured[key] = measure(key, cases.cases, images[key])
    modalities = list(counted(cases.cases))
    if 3 in options.tables:
        tables["table3"] = {key: summary(m, references, None) for key, m in measured.items()}
    if 4 in options.tables:
        tables["table4"] = {
            modality: {key: summary(m, references, modality) for key, m in measured.items()} for modality in modalities
        }
        if "CT" in modalities:
            tables["ct_ceiling"] = stated.ceiling([case.measurement for case in cases.of("CT")])
    tables["comparisons"] = comparisons(measured)
    options.out.mkdir(parents=True, exist_ok=True)
    fidelity_figure(measured, options.out / "table4.svg")
    for modality in modalities:
        middle = _middle(cases.of(modality))
        at = cases.cases.index(middle)
        montage(middle, {key: made[at] for key, made in images.items()}, options.out / f"montage_{modality}.png")
    return [row for m in measured.values() for row in m.rows]


def _middle(cases: Sequence[BenchmarkCase]) -> BenchmarkCase:
    return cases[len(cases) // 2]


def _subset(cases: CaseSet, wanted: int) -> CaseSet:
    """About ``wanted`` slices, the modalities in equal shares, each of another patient as far as there are any."""
    modalities = list(counted(cases.cases))
    each = max(1, round(wanted / len(modalities))) if wanted else len(cases.cases)
    chosen: list[BenchmarkCase] = []
    for modality in modalities:
        found = cases.of(modality)
        by_patient: dict[str, list[BenchmarkCase]] = {}
        for case in found:
            by_patient.setdefault(case.patient, []).append(case)
        turns = max(len(members) for members in by_patient.values())
        queue = [m[len(m) * turn // turns] for turn in range(turns) for m in by_patient.values() if turn < len(m)]
        chosen += list({case.name: case for case in queue}.values())[:each]
    return CaseSet(chosen, cases.left_out)


def _stated(options: Options, cases: CaseSet, subset: CaseSet) -> dict[str, Any]:
    """What a reader of the tables must know: data, levels, physics, weights.

    ``subset``: the cases of Table 7, some of the same; they speak where no other table has cases.
    """
    measured = [case.measurement for case in cases.cases or subset.cases] or [timed_slice()]
    part = f"{options.per_patient} evenly spaced slices per patient." if options.per_patient else "All their slices."
    matrix = f" References resampled to {options.matrix} pixels." if options.matrix else ""
    return {
        "cases": counted(cases.cases),
        "selection": part + matrix,
        "left_out": _by_reason(cases.left_out | subset.left_out),
        "physics_version": stated.physics_version(measured),
        "physics": stated.physics(measured),
        "levels": stated.levels(measured),
        "weights": {key: _card_line(path) for key, path in _weights(options).items()},
        "arms": {key: {"method": spec.method, **spec.settings} for key, spec in ARMS.items()},
        "size": options.size,
        "device": options.device,
    }


def _by_reason(left_out: dict[str, str]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for name, why in sorted(left_out.items()):
        reasons.setdefault(why, []).append(name)
    return reasons


def _card_line(path: Path) -> str:
    card = json.loads(path.with_suffix(".json").read_text())
    trained = "CPU-trained" if card["device"].startswith("CPU") else f"trained on {card['device']}"
    return f"{trained}, preset {card['preset']}, {card['parameters']:,} parameters, SHA-256 {card['sha256'][:12]}"
