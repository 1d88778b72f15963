"""A second implementation, from the formulas, of the numbers that carry the conclusions.

Only the standard library: mean score, percent agreement and Fleiss' kappa per arm from a long table of
scores, and the regression of mean score on FID-Med.
Run it as ``python independent_recompute.py scores.csv [metrics.csv]``.
"""

from __future__ import annotations

import csv
import json
import sys
from fractions import Fraction
from math import sqrt
from typing import Any

Units = dict[str, list[int]]


def first_readings(path: str) -> dict[str, Units]:
    """Scores by arm and slice without repeats, gaps and "cannot judge"; arms in order of appearance."""
    arms: dict[str, Units] = {}
    with open(path, newline="", encoding="utf-8-sig") as stream:
        for row in csv.DictReader(stream):
            units = arms.setdefault(row["arm"], {})
            if (row.get("repeat") or "0") == "0" and row["score"] not in ("", "NA"):
                units.setdefault(row["slice"], []).append(int(float(row["score"])))
    return arms


def modalities(path: str) -> dict[str, str]:
    with open(path, newline="", encoding="utf-8-sig") as stream:
        return {row["slice"]: row.get("modality") or "" for row in csv.DictReader(stream)}


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def mean_score(units: Units) -> Fraction:
    return mean([Fraction(sum(scores), len(scores)) for scores in units.values()])


def percent_agreement(units: Units) -> Fraction | None:
    """Agreeing pairs over pairs, by counting them one by one."""
    shares = []
    for scores in units.values():
        pairs = [(a, b) for i, a in enumerate(scores) for b in scores[i + 1 :]]
        if pairs:
            shares.append(Fraction(sum(a == b for a, b in pairs), len(pairs)))
    return mean(shares) if shares else None


def fleiss_kappa(units: Units) -> Fraction | None:
    observed = percent_agreement(units)
    used = sorted({score for scores in units.values() for score in scores})
    chance = Fraction(0)
    for category in used:
        chance += mean([Fraction(scores.count(category), len(scores)) for scores in units.values()]) ** 2
    return None if observed is None or chance == 1 else (observed - chance) / (1 - chance)


def regression(points: list[tuple[Fraction, Fraction]]) -> dict[str, float | int | None]:
    """Least squares of y on x and Pearson's r, exact but for the last square root."""
    if len(points) < 2 or len({x for x, _ in points}) < 2:
        return {"n": len(points), "slope": None, "intercept": None, "pearson": None}
    x_mean, y_mean = mean([x for x, _ in points]), mean([y for _, y in points])
    xx = sum((x - x_mean) ** 2 for x, _ in points)
    yy = sum((y - y_mean) ** 2 for _, y in points)
    xy = sum((x - x_mean) * (y - y_mean) for x, y in points)
    slope = xy / xx
    r = None if yy == 0 or len(points) < 3 else float(xy) / sqrt(float(xx * yy))
    return {
        "n": len(points),
        "slope": float(slope),
        "intercept": float(y_mean - slope * x_mean),
        "pearson": r,
    }


def fid_points(path: str, arms: dict[str, Units], modality: dict[str, str]) -> list[tuple[Fraction, Fraction]]:
    points = []
    with open(path, newline="", encoding="utf-8-sig") as stream:
        for row in csv.DictReader(stream):
            if not row.get("fid_med"):
                continue
            wanted = row.get("modality") or ""
            units = {s: v for s, v in arms[row["arm"]].items() if not wanted or modality[s] == wanted}
            if units:
                points.append((Fraction(float(row["fid_med"])), mean_score(units)))
    return points


def recompute(scores: str, metrics: str | None = None) -> dict[str, Any]:
    """``{"arms": {ARM: {...}}, "fid_med": {...} or None}``, null where a number is undefined."""
    arms = first_readings(scores)
    result: dict[str, Any] = {"arms": {}, "fid_med": None}
    for arm, units in arms.items():
        numbers = {
            "mean_score": mean_score(units) if units else None,
            "percent_agreement": percent_agreement(units) if units else None,
            "fleiss_kappa": fleiss_kappa(units) if units else None,
        }
        result["arms"][arm] = {name: None if value is None else float(value) for name, value in numbers.items()}
    if metrics is not None:
        result["fid_med"] = regression(fid_points(metrics, arms, modalities(scores)))
    return result


if __name__ == "__main__":
    print(json.dumps(recompute(*sys.argv[1:3]), indent=2))
