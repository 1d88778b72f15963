"""What opening froze in rows: each must still agree with the protocol, with its neighbours and with the audit chain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from readerstudy.audit.canonical import sha256_of
from readerstudy.audit.models import Entry
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Frame, OrderSecret, Pane, Presentation
from readerstudy.studies.models import Study, StudyImage
from readerstudy.studies.queries import protocol_of

# A row's moment and its entry's are taken in one transaction, which opening may keep for minutes.
TOGETHER = timedelta(minutes=10)
STATES = {
    "study.open": Study.State.OPEN, "study.close": Study.State.CLOSED, "study.lock": Study.State.LOCKED,
    "study.unblind": Study.State.UNBLINDED,
}  # fmt: skip
MOMENTS = {
    "opened_at": "study.open", "closed_at": "study.close", "locked_at": "study.lock", "unblinded_at": "study.unblind",
}  # fmt: skip
METRICS = ("psnr", "ssim", "nmse", "feature_distance", "latency_ms", "batch_size")
MADE = (
    "method", "version", "settings_hash", "weights_hash", "seed", "sampler", "precision", "network_calls", "device",
)  # fmt: skip


def sealed_images(study: Study) -> dict[str, str]:
    """A hash per reconstruction that an arm shows: its pixels, SD map, features, metrics and run."""
    images = StudyImage.objects.filter(study_slice__study=study).select_related("reconstruction__run")
    return {str(image.reconstruction_id): _seal(image.reconstruction) for image in images}


def _seal(made: Reconstruction) -> str:
    names = ("pixels", "features", "feature_network", "uncertainty", *METRICS)
    own = {name: getattr(made, name) for name in names} | {"slice": made.slice_id}
    if made.uncertainty_step is not None:  # what has no SD map is sealed as it always was
        own["uncertainty_step"] = made.uncertainty_step
    return sha256_of([own, {name: getattr(made.run, name) for name in MADE}])[:32]


def frozen_rows_hold(study: Study) -> Iterator[str]:
    """One sentence per row that is not what opening made it."""
    told = {entry.verb: entry for entry in Entry.objects.filter(chain__name=study.chain, verb__startswith="study.")}
    yield from _study(study, told)
    yield from _secret(study, told)
    yield from _parts(study)
    yield from _slices(study)
    yield from _images(study, told)
    yield from _schedules(study)
    yield from _shown(study)


def together(moment: datetime | None, entry: Entry | None) -> bool:
    """Whether a row's moment is that of its entry; without an entry there is no moment."""
    if moment is None or entry is None:
        return moment is None and entry is None
    return abs(datetime.fromisoformat(entry.at) - moment) <= TOGETHER


def _study(study: Study, told: dict[str, Entry]) -> Iterator[str]:
    if study.title != study.protocol["study"]["title"]:
        yield "The study's title is not the protocol's."
    reached = [state for verb, state in STATES.items() if verb in told]
    if study.state != (reached[-1] if reached else Study.State.DRAFT):
        yield "The study's state is not the one that the audit chain ends in."
    for name, verb in MOMENTS.items():
        if not together(getattr(study, name), told.get(verb)):
            yield f"The study was not {name.removesuffix('_at')} when the audit chain says."
    if study.locked_by is not None and study.locked_by.handle != told["study.lock"].actor:
        yield "The study was locked by another person than the audit chain says."
    pauses = [told[verb] for verb in ("study.pause", "study.resume") if verb in told]
    last = max(pauses, key=lambda entry: entry.sequence, default=None)
    if study.paused != (last is not None and last.verb == "study.pause"):
        yield "Whether the study is paused is not what the audit chain says."
    extending = Entry.objects.filter(verb="study.extend", text__contains=str(study.pk))
    if {entry.chain.name for entry in extending} != ({study.extends.chain} if study.extends else set()):
        yield "The study extends another study than the audit chain says."


def _secret(study: Study, told: dict[str, Entry]) -> Iterator[str]:
    secret = OrderSecret.objects.get(study=study)
    if secret.commitment != told["study.open"].data["commitment"]:
        yield "The commitment is not the one that was shown at opening."
    if not together(secret.made_at, told["study.open"]):
        yield "The secret was not made at opening."
    if not together(secret.revealed_at, told.get("study.unblind")):
        yield "The secret was not revealed when the audit chain says."


def _parts(study: Study) -> Iterator[str]:
    """Arms and criteria are what the protocol says, in its order."""
    protocol = protocol_of(study)
    arms = [(a.position, a.key, a.title, a.method, a.levels, a.settings, a.role) for a in study.arms.all()]
    for place, rule in enumerate(protocol.arms):
        if (place, rule.key, rule.title, rule.method, rule.levels, rule.settings, rule.role) not in arms:
            yield f"The arm {rule.key} is not what the protocol says."
    criteria = [(c.position, c.key, c.title, c.question, c.texts) for c in study.criteria.all()]
    for place, asked in enumerate(protocol.criteria):
        if (place, asked.key, asked.title, asked.question, asked.texts) not in criteria:
            yield f"The criterion {asked.key} is not what the protocol says."
    if (len(arms), len(criteria)) != (len(protocol.arms), len(protocol.criteria)):
        yield "The study has arms or criteria that the protocol doesn't know."


def _slices(study: Study) -> Iterator[str]:
    rules, rows = protocol_of(study).slices, study.slices.select_related("slice__case")
    found = {row.position for row in rows}
    yield from (f"Slice {n} of the study is missing." for n in range(1, rules.number + 1) if n not in found)
    for row in rows:
        stratum = row.slice.case.modality if rules.stratify == "modality" else "all"
        window = (row.slice.window_center, row.slice.window_width)
        if (row.stratum, row.window_center, row.window_width) != (stratum, *window):
            yield f"Slice {row.position} of the study has another stratum or window than when it was drawn."


def _images(study: Study, told: dict[str, Entry]) -> Iterator[str]:
    sealed: dict[str, str] | None = told["study.open"].data.get("images")
    images = StudyImage.objects.filter(study_slice__study=study)
    for image in images.select_related("reconstruction__run", "study_slice", "arm"):
        made, place = image.reconstruction, image.study_slice.position
        if made.slice_id != image.study_slice.slice_id:
            yield f"Slice {place} of the study shows reconstruction {made.pk}, which is of another slice."
        if image.arm is not None and made.run.method != image.arm.method:
            yield f"Reconstruction {made.pk} is by another method than the arm {image.arm.key}."
        if sealed is not None and sealed.get(str(made.pk)) != _seal(made):
            yield f"Reconstruction {made.pk}, its metrics or its run are not what was sealed at opening."


def _schedules(study: Study) -> Iterator[str]:
    design = protocol_of(study).design
    found = {row.number for row in study.schedules.all()}
    for number in sorted(found ^ set(range(1, design.readers + design.reserves + 1))):
        yield f"Schedule {number} is missing, or was not drawn at opening."
    for row in Presentation.objects.filter(session__schedule__study=study).exclude(kind=Presentation.Kind.FIDELITY):
        if (row.kind == Presentation.Kind.REPEAT) != (row.repeat_of_id is not None):
            yield f"Presentation {row.pk} is of another kind than it was drawn."


def _shown(study: Study) -> Iterator[str]:
    """Panes and frames are numbered from 0, and a frame shows the slice that its offset says, of its pane's run."""
    panes = Pane.objects.filter(presentation__session__schedule__study=study)
    yield from (
        f"Pane {pk} is not where it was drawn." for pk in _gaps(panes.values_list("pk", "presentation", "index"))
    )
    frames = Frame.objects.filter(pane__presentation__session__schedule__study=study)
    yield from (f"Frame {pk} is not where it was frozen." for pk in _gaps(frames.values_list("pk", "pane", "index")))
    whole = frames.select_related("reconstruction__slice", "pane__presentation__study_slice__slice")
    for frame in whole.iterator():
        shown, scored = frame.reconstruction.slice, frame.pane.presentation.study_slice.slice
        if (shown.case_id, shown.index - scored.index) != (scored.case_id, frame.offset):
            yield f"Frame {frame.pk} does not show the slice that it was frozen for."
        if frame.reconstruction.run_id != frame.pane.run_id:
            yield f"Frame {frame.pk} shows reconstruction {frame.reconstruction_id} of another run than its pane."


def _gaps(rows: Any) -> Iterator[int]:
    """The rows (id, owner, index) whose index lies beyond the number of their owner's rows."""
    listed = list(rows)
    counts: dict[Any, int] = {}
    for _, owner, _ in listed:
        counts[owner] = counts.get(owner, 0) + 1
    yield from (pk for pk, owner, index in listed if index >= counts[owner])
