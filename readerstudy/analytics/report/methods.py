"""The methods section in sentences, from the frozen protocol and plan: what was planned, and how it was analysed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from readerstudy.analytics.rows.designs import level_text
from readerstudy.studies.protocol import ArmRule, Protocol

DESIGNS = {
    "balanced": "Each reader saw every slice once in every arm. The order was balanced: the arm of a slice followed a "
    "Williams square over rounds, so that every arm was seen first, and followed every other arm, equally often",
    "random": "Each reader saw every slice once in every arm, in an order of their own drawn at random",
    "blocked_by_modality": "Each reader saw every slice once in every arm, one modality after the other, in an order "
    "of their own",
    "pairwise": "Readers saw two arms of one slice side by side and chose the left, the right, or neither; sides were "
    "balanced per pair and reader",
}
REFERENCE = {
    "none": "No reference was shown.",
    "hidden": "The reference was scored like an arm, without being marked as such.",
    "beside": "The reference stood beside each image, with the same window, zoom and place.",
}
CORRECTIONS = {"bonferroni": "Bonferroni's correction", "holm": "Holm's correction", "none": "no correction"}


@dataclass(frozen=True)
class Paragraph:
    title: str
    text: str


def methods(protocol: Protocol) -> list[Paragraph]:
    """Paragraphs in the order of a paper's methods section."""
    return [
        Paragraph("Approval", _approval(protocol)),
        Paragraph("Cases and slices", _slices(protocol)),
        Paragraph("Arms", _arms(protocol.arms)),
        Paragraph("Readers", _readers(protocol)),
        Paragraph("Reading", _reading(protocol)),
        Paragraph("Blinding and order", _blinding(protocol)),
        Paragraph("Statistical analysis", _analysis(protocol)),
    ]


def _join(sentences: Sequence[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _approval(protocol: Protocol) -> str:
    study = protocol.study
    approved = (
        f"The study was approved by {study.approval_body}"
        + (f" (number {study.approval_number})." if study.approval_number else ".")
        if study.approval_body
        else "[No approval body is stated in the protocol: add it.]"
    )
    registered = f"It is registered as {study.registration}." if study.registration else ""
    return _join([approved, registered, "Protocol and analysis plan were frozen before the first score."])


def _slices(protocol: Protocol) -> str:
    rules = protocol.slices
    limits = []
    if rules.minimum_body_share:
        limits.append(f"the body fills at least {100 * rules.minimum_body_share:g} % of the field")
    if not rules.edge_slices:
        limits.append("it is neither the first nor the last of its volume")
    if rules.anatomy:
        limits.append(f"it shows {', '.join(rules.anatomy)}")
    if rules.sources:
        limits.append(f"it comes from {', '.join(rules.sources)}")
    frame = (
        f"A slice was eligible if {', and '.join(limits)}." if limits else "Every slice of a usable case was eligible."
    )
    number = f"{rules.number} slices were drawn at random (seed {protocol.study.seed})"
    strata = ", stratified by modality" if rules.stratify == "modality" else ""
    patients = ", one per patient." if rules.one_per_patient else "; several slices may come from one patient."
    hand = "The frame was narrowed by hand before the draw." if rules.picked or rules.left_out else ""
    return _join([frame, f"{number}{strata}{patients}", hand])


def _arms(arms: Sequence[ArmRule]) -> str:
    return f"{len(arms)} arms were read: {'; '.join(map(_arm, arms))}."


def _arm(arm: ArmRule) -> str:
    levels = ", ".join(f"{name} at {level_text(level, name)}" for name, level in arm.levels.items())
    role = {"reference": "hidden reference", "anchor": "low anchor"}.get(arm.role, "")
    words = [word for word in (role, levels) if word]
    return arm.title + (f" ({'; '.join(words)})" if words else "")


def _readers(protocol: Protocol) -> str:
    design = protocol.design
    practice = (
        f"Before reading they judged {design.practice} practice images of other patients." if design.practice else ""
    )
    reserves = f" and {design.reserves} schedules were kept in reserve" if design.reserves else ""
    return _join([f"{design.readers} readers were planned{reserves}.", practice])


def _reading(protocol: Protocol) -> str:
    display, sessions, design = protocol.display, protocol.sessions, protocol.design
    questions = " ".join(f"{criterion.title}: “{criterion.question}”" for criterion in protocol.criteria)
    scale = "" if design.kind == "pairwise" else "Each was answered on a scale from 1 to 5 or with “cannot judge”."
    apart = f" at least {sessions.minimum_days_apart} days apart" if sessions.minimum_days_apart else ""
    window = "could be changed freely" if display.window == "free" else "was fixed"
    zoom = "could be changed freely" if display.zoom == "free" else "was fixed"
    context = f"Up to {display.context_slices} neighbouring slices were shown." if display.context_slices else ""
    check = {
        "off": "", "asked": "Before each session the display was checked; a failed check was flagged.",
        "required": "Before each session the display had to pass a check.",
    }[display.check]  # fmt: skip
    fidelity = (
        f"After all scores of a session were final, {100 * design.fidelity:g} % of its images were shown again beside "
        "their reference, and lost and invented structures were marked."
        if design.fidelity
        else ""
    )
    repeats = f"{100 * design.repeats:g} % of the images were shown twice." if design.repeats else ""
    return _join([
        f"Readers answered: {questions}", scale, f"They read in {sessions.number} sessions{apart}.",
        f"The window {window}, the zoom {zoom}.", context, REFERENCE[display.reference], check, repeats, fidelity,
    ])  # fmt: skip


def _blinding(protocol: Protocol) -> str:
    design = protocol.design
    gap = (
        f", with at least {design.minimum_gap} images between two versions of a slice" if design.minimum_gap > 1 else ""
    )
    guess = "After the last session they were asked which method had made an image." if design.guess_images else ""
    return _join([
        f"{DESIGNS[design.kind]}{gap}.",
        "The order was drawn from a secret of 256 bits whose commitment was shown to every reader before reading and "
        "revealed at unblinding. Images carried no name, and all arms of a slice had the same size, depth and window.",
        guess,
    ])  # fmt: skip


def _analysis(protocol: Protocol) -> str:
    plan, titles = protocol.plan, {arm.key: arm.title for arm in protocol.arms}
    primary = next((c.title for c in protocol.criteria if c.key == plan.primary_criterion), plan.primary_criterion)
    against = f" against {titles.get(plan.comparator, plan.comparator)}" if plan.comparator else ""
    margin = f" with a margin of {plan.margin:g} points" if plan.margin is not None else ""
    family = "all pairs of compared arms" if plan.comparisons == "all pairs" else f"each arm{against}"
    headline = (
        "Abilities were estimated after Bradley and Terry with Davidson's ties; intervals are clustered by patient and "
        "reader."
        if protocol.design.kind == "pairwise"
        else "Mean scores were compared by the multi-reader analysis of Obuchowski and Rockette with Hillis' degrees "
        "of freedom, readers and patients random; agreement is given per arm as Fleiss' kappa, Krippendorff's alpha, "
        "Gwet's coefficients and percent agreement, with 95 % intervals."
    )
    refusals = {
        "excluded": "“Cannot judge” was left out and is reported beside every mean.",
        "worst score": "“Cannot judge” counted as the worst score.",
    }[plan.cannot_judge]  # fmt: skip
    missing = {
        "available scores": "All available scores were used.",
        "complete slices": "Only slices that every reader scored in every arm were used.",
    }[plan.missing]  # fmt: skip
    stopping = f"Stopping rule: {plan.stopping_rule.rstrip('.')}." if plan.stopping_rule else ""
    return _join([
        f"Primary criterion: {primary}. Hypothesis: {plan.hypothesis}{against}{margin}.",
        f"The family is {family}, at alpha {plan.alpha:g} with {CORRECTIONS[plan.correction]}.",
        headline, missing, refusals, stopping,
        f"Secondary: {'; '.join(plan.secondary)}." if plan.secondary else "",
        "Everything else is exploratory.",
    ])  # fmt: skip
