"""The benchmark as text: Markdown with the paper's figures beside ours, CSV files, and ``tables.json``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.benchmark.arms import ARMS
from inference.benchmark.fidelity_tables import SliceRow
from inference.benchmark.paper import ALPHA, TABLE3, TABLE4, TABLE6

Tables = Mapping[str, Any]
NAMED = 4  # patients left out that are named per reason


def write_report(folder: Path, tables: Tables, rows: Sequence[SliceRow]) -> str:
    """``tables.json``, ``benchmark.md`` and a CSV per table in ``folder``; the Markdown is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tables.json").write_text(json.dumps(tables, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    text = markdown(tables)
    (folder / "benchmark.md").write_text(text)
    if "table3" in tables:
        _csv(folder / "table3.csv", [{"method": k, **v} for k, v in tables["table3"].items()])
    if "table4" in tables:
        flat = [{"modality": m, "method": k, **v} for m, arms in tables["table4"].items() for k, v in arms.items()]
        _csv(folder / "table4.csv", flat)
    if "table6" in tables:
        _csv(folder / "table6.csv", [{"method": k, **v} for k, v in tables["table6"].items()])
    if "table7" in tables:
        _csv(folder / "table7.csv", tables["table7"])
    if rows:
        _csv(folder / "slices.csv", [vars(row) for row in rows])
    return text


def _csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    found = list(rows)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows({k: _cell(v) for k, v in row.items()} for row in found)


def _cell(value: object) -> object:
    if value is None:
        return ""
    return " ".join(f"{v:g}" for v in value) if isinstance(value, list) else value


def markdown(tables: Tables) -> str:
    """Every table that was made, what was simulated, and what to keep in mind."""
    parts = ["# Reconstruction benchmark", "", "Research use only, not for diagnosis.", "", *_stated(tables)]
    if "table3" in tables:
        parts += _table3(tables)
    if "table4" in tables:
        parts += _table4(tables)
    if "comparisons" in tables:
        parts += _comparisons(tables["comparisons"])
    if "table6" in tables:
        parts += _table6(tables)
    if "table7" in tables:
        parts += _table7(tables["table7"])
    return "\n".join(parts) + "\n"


def _stated(tables: Tables) -> list[str]:
    stated = tables["stated"]
    lines = []
    if stated["cases"]:
        counts = ", ".join(f"{m} {n} slices of {p} patients" for m, (p, n) in stated["cases"].items())
        lines += [f"Cases: {counts}. {stated['selection']}", ""]
    lines += [f"- Left out, {why}: {_named(names)}." for why, names in stated["left_out"].items()]
    version = stated["physics_version"]
    lines += ["", f"Physics version {version}:" if version else "Nothing was simulated here:", ""]
    for modality, parameters in stated["physics"].items():
        values = "; ".join(f"{k.replace('_', ' ')} {_parameter(v)}" for k, v in parameters.items())
        lines.append(f"- {modality}, {stated['levels'][modality]}: {values}.")
    ranges = "data range CT 2924 HU, US 255, MR the largest value of the patient's slices"
    lines += ["", f"PSNR, SSIM (7x7 uniform window) and NMSE: {ranges}; NMSE of CT on HU + 1024.", ""]
    for key, card in stated["weights"].items():
        lines.append(f"- {ARMS[key].title.partition(',')[0]}: {card}.")
    return [*lines, ""]


def _named(names: Sequence[str]) -> str:
    """A few names and how many more there are."""
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more ({len(names)} in all)"


def _parameter(value: object) -> str:
    """A parameter of the physics, or what it is from slice to slice (see `stated.physics`)."""
    if isinstance(value, dict) and "slices" in value:
        return ", ".join(f"{text} ({count} slices)" for text, count in value["slices"].items())
    if isinstance(value, dict):
        return f"{_parameter(value['least'])} to {_parameter(value['greatest'])}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _number(value: float | None, digits: int) -> str:
    return "undefined" if value is None else f"{value:.{digits}f}"


def _quality(row: Mapping[str, Any]) -> str:
    mark = "*" if row["few_patients"] else ""
    kid = _number(row["kid"], 4)
    distance = _number(row["fid_med"], 3) + ("†" if row["fid_med_marked"] else _interval(row["fid_med_ci"]))
    psnr = f"{_number(row['psnr_mean'], 2)} ± {_number(row['psnr_sd'], 2)}"
    counts = f"{row['n_patients']}{mark} | {row['n_slices']}"
    return f"{psnr} | {row['ssim_mean']:.3f} | {1000 * row['nmse_mean']:.2f} | {distance} | {kid} | {counts}"


def _interval(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f" ({ends[0]:.3f} to {ends[1]:.3f})"


HEAD = "PSNR (dB) | SSIM | NMSE x1e-3 | FID-Med | KID | patients | slices"
NOTES = (
    "Mean ± SD over patients, whose slices are averaged first; * fewer than 5 patients. FID-Med is the Frechet "
    "distance in 32 dimensions of our own network, on another scale than the paper's, with its 95 % bootstrap interval "
    "over patients; † too few slices or patients for its dimensions, and for an interval. The paper's figures come "
    "from its own data."
)


def _table3(tables: Tables) -> list[str]:
    lines = ["## Table 3: all modalities", "", f"| method | {HEAD} | paper: PSNR, SSIM, NMSE x1e-3, FID-Med |"]
    lines.append("|---" * 9 + "|")
    for key, row in tables["table3"].items():
        paper = ", ".join(f"{v:g}" for v in TABLE3[key]) if key in TABLE3 else ""
        lines.append(f"| {ARMS[key].title} | {_quality(row)} | {paper} |")
    return [*lines, "", NOTES, ""]


def _table4(tables: Tables) -> list[str]:
    lines = ["## Table 4: per modality", "", f"| modality | method | {HEAD} | gain (dB) | paper: PSNR |"]
    lines.append("|---" * 11 + "|")
    for modality, arms in tables["table4"].items():
        for key, row in arms.items():
            both = (row["psnr_mean"], arms["degraded"]["psnr_mean"])
            gain = "undefined" if None in both else f"{both[0] - both[1]:+.2f}"
            paper = TABLE4[modality].get(key, "")
            lines.append(f"| {modality} | {ARMS[key].title} | {_quality(row)} | {gain} | {paper} |")
    if "ct_ceiling" in tables:
        lines += ["", _ceiling(tables["ct_ceiling"])]
    return [*lines, ""]


def _ceiling(top: Mapping[str, Any]) -> str:
    """CT's ceiling in words: at one dose share, at each of several, or at the ends of many."""
    rows = top.get("shares", [top])
    each = [
        f"{row['conditional_mean_db']:.1f} dB for the conditional mean and {row['one_sample_db']:.1f} dB for one "
        "sample of the posterior" + (f" at {100 * row['dose_share']:.3g} % of the dose" if "dose_share" in row else "")
        for row in rows
    ]
    shown = "; ".join(each) if len(each) <= NAMED else f"{each[0]}, to {each[-1]}, {len(each)} shares in all"
    return (
        "Ceiling of CT: the full-dose target carries noise of its own, which nobody can predict from the input. "
        f"The gain can't pass {shown}."
    )


def _comparisons(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    family, alpha = rows[0]["family"], rows[0]["alpha"]
    lines = [
        "## Paired t-tests of PSNR on patient means",
        "",
        f"Family: all {family} pairs of the methods; Bonferroni, so p below .05 / {family} = {alpha:.4f} before and "
        f".05 after adjustment (the paper prints {ALPHA}, which is .05 / 4). Intervals are adjusted alike.",
        "",
        "| first | second | difference (dB) | adjusted 95 % interval | t | p adjusted | patients |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        interval = "undefined" if row["ci"] is None else "{:.2f} to {:.2f}".format(*row["ci"])
        p = row["p_adjusted"]
        shown = "undefined" if p is None else ("< .0001" if p < 1e-4 else f"{p:.4f}")
        names = f"{ARMS[row['first']].title} | {ARMS[row['second']].title}"
        difference = f"{row['mean_difference']:+.2f} | {interval} | {_number(row['t'], 2)} | {shown}"
        lines.append(f"| {names} | {difference} | {row['n_patients']} |")
    return [*lines, ""]


def _table6(tables: Tables) -> list[str]:
    graphs = any("eager_median_ms" in row for row in tables["table6"].values())
    lines = [
        "## Table 6: latency per 512 x 512 CT slice, batch 1",
        "",
        "| method | median (ms) | 95th percentile (ms) | processor time, median (ms) | device | precision | sampler "
        f"| network calls | repeats |{' launch by launch (ms) |' if graphs else ''} paper, A100 (ms) |",
        "|---" * (11 if graphs else 10) + "|",
    ]
    for key, row in tables["table6"].items():
        few = "*" if row["too_few_repeats"] else ""
        times = " | ".join(f"{row[name]:.2f}" for name in ("median_ms", "p95_ms", "processor_median_ms"))
        how = f"{row['device']} | {row['precision']} | {row['sampler']} | {row['network_calls']}"
        eager = f" {row['eager_median_ms']:.1f} |" if graphs else ""
        paper = f"{TABLE6[key]:g}" if key in TABLE6 else ""
        lines.append(f"| {ARMS[key].title} | {times} | {how} | {row['repeats']}{few} |{eager} {paper} |")
    lines += [
        "",
        "* fewer than 50 repeats. The slice is a procedural phantom at a quarter of the dose. The paper's column is "
        "another device: the two can't be compared.",
        "",
    ]
    if graphs:
        how = next(iter(tables["table6"].values()))["acceleration"]
        lines += [
            f"Acceleration: {how}. Launch by launch: the same network and precision, neither compiled nor recorded.",
            "",
        ]
    if "latency_anova" in tables:
        for name, a in tables["latency_anova"].items():
            p = "< .0001" if a["p"] < 1e-4 else f"= {a['p']:.4f}"
            lines.append(
                f"- {name.capitalize()} one-way analysis of variance: F({a['df_num']:g}, {a['df_denom']:.1f}) = "
                f"{a['F']:.1f}, p {p}."
            )
    return [*lines, ""]


def _table7(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    first = rows[0]
    lines = [
        "## Table 7: diffusion steps",
        "",
        f"Subset: {first['n_slices']} slices of {first['n_patients']} patients, longest side {first['largest_side']} "
        f"pixels, {first['seeds']} seeds, w = 1, the same weights in every row. A conditional mean has a higher PSNR "
        "than a sample, so fewer steps may score higher: read FID-Med and KID beside it, which are taken of each seed "
        "by itself and averaged.",
        "",
        "| sampler | steps | PSNR (dB) | SD over seeds | PSNR per modality | FID-Med | KID | paper: PSNR |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        each = ", ".join(f"{m} {v:.2f}" for m, v in row["psnr_by_modality"].items())
        distance = f"{_number(row['fid_med'], 3)}{'†' if row['fid_med_marked'] else ''} | {_number(row['kid'], 4)}"
        paper = "" if row["paper_psnr"] is None else f"{row['paper_psnr']:g}"
        psnr = f"{row['psnr_mean']:.2f} | {row['psnr_sd_over_seeds']:.2f} | {each}"
        lines.append(f"| {row['sampler']} | {row['steps']} | {psnr} | {distance} | {paper} |")
    return [*lines, ""]
