"""What the demo prints and leaves behind: the numbers, the files, and one JSON that sums it up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from readerstudy.accounts.models import User
from readerstudy.analytics.actions import export_snapshot
from readerstudy.analytics.figures import FIGURES, render
from readerstudy.analytics.models import Snapshot
from readerstudy.cases.models import Case
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.studies.models import Study


def estimate(value: dict[str, Any], digits: int = 2) -> str:
    """An estimate as a person reads it: value with its interval, or why there is none."""
    if value["value"] is None:
        return f"undefined: {value['undefined']}"
    text = f"{value['value']:.{digits}f}"
    if value.get("ci_low") is not None:
        text += f" ({value['ci_low']:.{digits}f} to {value['ci_high']:.{digits}f})"
    return text


def write_files(snapshot: Snapshot, by: User, folder: Path) -> list[Path]:
    """Scores as CSV, statistics as JSON, every figure as SVG, and the zip with all of it."""
    document = json.loads(snapshot.statistics)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "scores.csv": snapshot.tables["scores"].encode(),
        "metrics.csv": snapshot.tables["sets"].encode(),
        "statistics.json": snapshot.statistics.encode(),
        "export.zip": export_snapshot(snapshot, by),
        **{f"{name}.svg": render(name, document) for name, kind in FIGURES.items() if kind.applies(document)},
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def print_results(study: Study, document: dict[str, Any]) -> None:
    """Mean score and kappa per arm, means per modality, and the regression on FID-Med."""
    marked = " (simulated readers)" if document["simulated"] else ""
    print(f"\n{study.title}{marked}. Research use only, not for diagnosis.\n")
    print(f"{'arm':18} {'mean score (95 % interval)':28} {'Fleiss kappa (95 % interval)':30} FID-Med")
    for arm, block in document["arms"].items():
        mean = estimate(block["opinion"]["mean_score"])
        kappa = estimate(block["agreement"]["fleiss_kappa"], 3)
        print(f"{arm:18} {mean:28} {kappa:30} {_fid_text(document['metrics'][arm]['fid_med'])}")
    print()
    for modality, part in document["modalities"].items():
        means = ", ".join(f"{arm} {estimate(b['opinion']['mean_score'])}" for arm, b in part.items())
        print(f"{modality}: {means}")
    regression = document["correlation"]["fid_med"]
    slope, pearson = estimate(regression["slope"], 4), estimate(regression["pearson"], 3)
    print(f"\nMean score on FID-Med: n = {regression['n']}, slope {slope}, r = {pearson}")


def _fid_text(fid: dict[str, Any]) -> str:
    """FID-Med with its n, and why it must not be read as more than it is."""
    if fid["value"] is None:
        return f"undefined: {fid['undefined']}"
    return f"{estimate(fid)}, n = {fid['n']}" + (f" [{fid['marked']}]" if fid.get("marked") else "")


def write_report(
    path: Path, study: Study, document: dict[str, Any], missing: int, scores: int, seconds: dict[str, float]
) -> None:
    """``report.json``: counts, lists, per-arm statistics and the seconds of every step."""
    cases = Case.objects.filter(state=Case.State.READY)
    made = Reconstruction.objects.filter(run__method__in=study.arms.values("method"))
    report = {
        "cases": cases.count(),
        "reconstructions": made.exclude(pixels="").count(),
        "missing": missing,
        "scores": scores,
        "modalities": sorted(set(cases.values_list("modality", flat=True))),
        "methods": sorted(set(study.arms.values_list("method", flat=True))),
        "simulated": document["simulated"],
        "arms": document["arms"],
        "modality_means": document["modalities"],
        "correlation": document["correlation"],
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }
    path.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
