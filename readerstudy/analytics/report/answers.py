"""What the database can say to the items of a checklist, by the names that the lists use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.report.flow import NOT_STATED, Sample, Step
from readerstudy.analytics.report.methods import Paragraph
from readerstudy.analytics.wording import UNDEFINED, Lens
from readerstudy.studies.protocol import Protocol

NETWORKS = ("pix2pix", "restormer", "diffusion_unet")


# What holds of every study that this program runs.
ALWAYS = {
    "independence": "Every reader had an order of their own and saw no score of any other reader.",
    "material": (
        "All scores, metrics and statistics are in the export (zip), which recomputes without the software's "
        "database; protocol, plan and audit chain are named there by their hashes."
    ),
    "preprocessing": (
        "Images were stored as 16-bit integers on the grid of values of their scan; reconstructions of a slice "
        "share one window, taken from the reference. Larger matrices were reduced by area means, noted per case."
    ),
    "deidentification": (
        "Pseudonymised after DICOM PS3.15 Annex E: keyed hashes for identifiers, a written list of kept facts, "
        "quarantine for images that may show text or a face."
    ),
    "reference": "The image as acquired, without the degradation that the arms reconstruct from.",
    "partitions": "Test cases only; each run holds them, by patient, against the training list of its weights.",
    "disjoint": "By patient: a run is refused for a patient that its weights were trained on.",
    "measures": "Mean scores, agreement, PSNR, SSIM, NMSE, FID-Med and latency.",
    "sensitivity": (
        "Leave-one-reader-out for the headline numbers; “cannot judge” as the worst score; without sessions on "
        "displays that failed their check."
    ),
    "diagnostic": "Not applicable: readers judged images, and no case carries a diagnosis to be right about.",
}


def answers(
    protocol: Protocol,
    document: Mapping[str, Any],
    inputs: Inputs,
    paragraphs: Sequence[Paragraph],
    flow: Sequence[Step],
    patients: Sample,
) -> dict[str, str]:
    """Answer by name; an empty one means that the study has nothing to say to it."""
    planned = _planned(protocol, inputs, {paragraph.title: paragraph.text for paragraph in paragraphs})
    return ALWAYS | planned | _found(document, inputs, flow, patients)


def _planned(protocol: Protocol, inputs: Inputs, text: Mapping[str, str]) -> dict[str, str]:
    """What protocol and plan say, in the words of the methods section where it has them."""
    plan, design, facts = protocol.plan, protocol.design, inputs.facts
    return {
        "arms": text["Arms"],
        "sampling": text["Cases and slices"],
        "frame": text["Cases and slices"],
        "rating": f"{text['Reading']} {text['Blinding and order']}",
        "analysis": text["Statistical analysis"],
        "size": f"{design.readers} readers, {protocol.slices.number} slices, {100 * design.repeats:g} % repeats.",
        "hypothesis": f"{plan.hypothesis.capitalize()} on {facts.criteria[facts.primary_criterion]}.",
        "missing": f"Missing scores: {plan.missing}. Cannot judge: {plan.cannot_judge}.",
        "registration": protocol.study.registration,
        "protocol": f"Protocol SHA-256 {facts.protocol_hash}, plan SHA-256 {facts.plan_hash}.",
    }


def _found(document: Mapping[str, Any], inputs: Inputs, flow: Sequence[Step], patients: Sample) -> dict[str, str]:
    """What became of it: cases, readers, numbers."""
    facts = inputs.facts
    numbers = f"{len(facts.readers)} readers, {sum(patients.slices)} slices of {sum(patients.patients)} patients"
    scores = document["pooled"].get("n_scores", len(inputs.pairs))
    repeats = sum(line.repeat and line.score not in ("", "NA") for line in inputs.scores_of(facts.primary_criterion))
    devices = sorted({str(device) for arm in facts.arms for device in arm.runs.get("device", []) if device})
    learned = [arm.title for arm in facts.arms if arm.method in NETWORKS]
    return {
        "numbers": f"{numbers}, {scores} scores, {repeats} repeated scores.",
        "characteristics": _characteristics(patients),
        "agreement": _agreement(document),
        "sources": "; ".join(row.value for row in patients.rows if row.name == "Source"),
        "acquisition": _acquisition(patients),
        "readers": f"{len(facts.readers)} readers, see the table of readers." if facts.readers else "",
        "software": f"Reader study, code {document['code_version']}; {_devices(devices)}",
        "cards": f"See the model cards of {', '.join(dict.fromkeys(learned))}." if learned else "",
        "flow": "; ".join(f"{step.title.lower()}: {step.count}" for step in flow) + ".",
        "performance": _performance(document),
        "failures": _failures(document),
    }


def _devices(devices: Sequence[str]) -> str:
    return f"reconstructed on {', '.join(devices)}." if devices else "no device was recorded."


def _characteristics(patients: Sample) -> str:
    stated = {row.name for row in patients.rows if row.value != NOT_STATED}
    known = [name.lower() for name in ("Age", "Sex", "Anatomy", "Scanner") if name in stated]
    return f"See the tables: {', '.join(known)} of the cases, and the readers' records." if known else ""


def _acquisition(patients: Sample) -> str:
    values = [
        f"{row.value} ({sum(row.counts)})"
        for row in patients.rows
        if row.name in ("Scanner", "Field strength", "Tube voltage", "Slice thickness") and row.value != NOT_STATED
    ]
    return f"Cases by device and setting: {', '.join(values)}." if values else ""


def _agreement(document: Mapping[str, Any]) -> str:
    return _per_arm(document, "Fleiss' kappa per arm", "agreement", "fleiss_kappa")


def _performance(document: Mapping[str, Any]) -> str:
    title = "Mean score per arm, over slices and readers"
    return _per_arm(document, title, "opinion", "mean_score_slices_readers")


def _per_arm(document: Mapping[str, Any], title: str, *path: str) -> str:
    """One number of every arm with its interval, or nothing where none is defined."""
    lens, said = Lens(document), []
    for arm in document["study"]["arms"]:
        found = lens.at("arms", arm["key"], *path)
        if found.value != UNDEFINED:
            said.append(f"{arm['title']} {found.value}" + (f" ({found.interval})" if found.interval else ""))
    return f"{title}: {'; '.join(said)}." if said else ""


def _failures(document: Mapping[str, Any]) -> str:
    ledger = document["fidelity"]
    if "arms" not in ledger:
        return ""
    images = sum(arm["images"] for arm in ledger["arms"].values())
    return f"Lost and invented structures in {images} images compared with their reference: see the ledger."
