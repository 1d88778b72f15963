"""The verbs of cases (import, release, withdraw, freeze, look), for page, command, demo and tasks alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from inference.data.dicom_child import ReaderStoppedError, read_in_child
from inference.data.dicom_types import FileReport, Progress, SeriesImage
from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.cases.blinding import require_may_look
from readerstudy.cases.keys import patient_key
from readerstudy.cases.models import Case, Import, ImportedFile, Look, Modality, Source
from readerstudy.cases.scratch import scratch
from readerstudy.cases.storing import KEEP, actor, store_series

__all__ = [
    "KEEP",
    "CaseError",
    "begin_import",
    "fill_import",
    "freeze",
    "import_cases",
    "import_phantom",
    "record_look",
    "release_quarantine",
    "require_coordinator",
    "require_valid",
    "store_series",
    "withdraw",
]

ReadEvent = FileReport | Progress | SeriesImage
Watcher = Callable[[FileReport | Progress], None]
PHANTOM_REASON = "A procedural phantom shows no person."
NOT_IN_A_CASE = "The file's series could not be made a case: import the whole series again."
ROWS_AT_ONCE = 200


class CaseError(ValueError):
    """Why a verb was refused, in one sentence that says what to do; ``field`` names what is wrong, if known."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


def import_cases(
    root: Path,
    *,
    source: Source,
    by: User | None,
    max_matrix: int = 512,
    quarantine: bool = True,
    reason: str = "",
    keep: frozenset[str] = KEEP,
    progress: Watcher | None = None,
) -> Import:
    """Import a folder or a zip of DICOM: every file is accepted, refused or quarantined with one sentence.

    ``quarantine=False`` takes cases that may show burned-in text or a face as they are, for a ``reason``.
    ``keep``: which facts are stored: ``patient`` (age band, sex), ``device``, ``acquisition``; others are dropped.
    Each case is one transaction, so that an interruption loses nothing; an import can be repeated.
    """
    if not root.exists():
        raise CaseError(f"There is nothing at {root}: give a folder or a zip of DICOM files.")
    batch = begin_import(
        source=source, by=by, max_matrix=max_matrix, quarantine=quarantine, reason=reason, keep=keep
    )  # fmt: skip
    return fill_import(batch, root, by=by, progress=progress)


def begin_import(
    *,
    source: Source,
    by: User | None,
    max_matrix: int = 512,
    quarantine: bool = True,
    reason: str = "",
    keep: frozenset[str] = KEEP,
) -> Import:
    """The empty import that ``fill_import`` fills; what it does not allow is refused here, with ``CaseError``."""
    require_coordinator(by)
    require_valid(source, quarantine, reason)
    if wrong := keep - KEEP:
        raise CaseError(f"There is nothing called {min(wrong)!r} to keep: choose among {', '.join(sorted(KEEP))}.")
    options = {"max_matrix": max_matrix, "quarantine": quarantine, "reason": reason, "keep": sorted(keep)}
    return _begin(source, by, options)


def fill_import(batch: Import, root: Path, *, by: User | None, progress: Watcher | None = None) -> Import:
    """Read a folder or a zip into a begun import, from the start: what a broken attempt reported is replaced."""
    batch.files.all().delete()
    options = batch.options
    keep = frozenset(options["keep"])
    with scratch() as out:
        events = read_in_child(root, out, max_matrix=options["max_matrix"])
        try:
            _Importer(batch, by, options["quarantine"], options["reason"], keep, progress).take(events)
        except ReaderStoppedError as error:
            _finish(batch, by)
            raise CaseError(str(error)) from error
    return _finish(batch, by)


def import_phantom(
    modality: str, seed: int, *, source: Source, by: User | None, size: int = 256, n_slices: int = 4
) -> Case:
    """One procedural phantom as a case; the same seed again is the same case."""
    from inference.data.phantoms import phantom

    require_coordinator(by)
    require_valid(source, True, "")
    if modality not in Modality.values:
        raise CaseError(f"There is no phantom of {modality!r}: choose one of {', '.join(Modality.values)}.")
    if known := _known_phantom(modality, seed, size, n_slices):
        return known
    try:
        image = phantom(cast(Literal["CT", "MR", "US"], modality), seed, size=size, n_slices=n_slices)
        return store_series(image, source=source, by=by, quarantine=False, reason=PHANTOM_REASON, phantom=True).case
    except ValueError as error:
        raise CaseError(str(error)) from error


def _known_phantom(modality: str, seed: int, size: int, n_slices: int) -> Case | None:
    """The phantom's case from an earlier run; drawing it again would take seconds."""
    return (
        Case.objects.filter(phantom=True, modality=modality, rows=size)
        .filter(patient__key=patient_key(f"phantom-{modality}-{seed}"))
        .annotate(drawn=Count("slices"))
        .filter(drawn=n_slices)
        .first()
    )


@transaction.atomic
def release_quarantine(case: Case, by: User, reason: str) -> Case:
    """Let a quarantined case be used: the person has looked at its images and says why they are clean."""
    require_coordinator(by)
    row = _locked(case)
    if row.state != Case.State.QUARANTINED:
        raise CaseError(f"Case {row.pseudonym} is {row.get_state_display()}, so there is nothing to release.")
    if not reason.strip():
        raise CaseError("Say what you saw that allows the release, for example “no text on any image”.")
    if not row.looks.filter(user=by).exists():
        raise CaseError(f"Look at the images of case {row.pseudonym} first, then release it.")
    return _change_state(row, Case.State.READY, by, "case.release", reason)


@transaction.atomic
def withdraw(case: Case, by: User | None, reason: str) -> Case:
    """Take a case out of use for good, also where a study uses it; rows and pixels stay for the audit."""
    require_coordinator(by)
    row = _locked(case)
    if row.state == Case.State.WITHDRAWN:
        raise CaseError(f"Case {row.pseudonym} is withdrawn already.")
    if not reason.strip():
        raise CaseError("Say why the case is withdrawn, for example “consent withdrawn”.")
    return _change_state(row, Case.State.WITHDRAWN, by, "case.withdraw", reason)


@transaction.atomic
def freeze(case: Case, by: User | None = None) -> Case:
    """Mark that a study uses the case, so that nothing of it changes any more; harmless when repeated."""
    row = _locked(case)
    if row.state != Case.State.READY:
        raise CaseError(f"Case {row.pseudonym} is {row.get_state_display()}: choose another case for the study.")
    if row.frozen_at is None:
        row.frozen_at = timezone.now()
        row.save(update_fields=["frozen_at"])
        record(INSTALLATION, actor(by), "case.freeze", f"case:{row.pk}", {"case": row.pseudonym})
    case.frozen_at = row.frozen_at
    return row


def record_look(case: Case, user: User, *, reading: bool = False) -> None:
    """Remember, once, that a person has seen the case's reference; called before any image of it is sent.

    Raises ``LookRefused`` for who reads the case blinded; ``reading``: the reading room itself shows it.
    """
    if Look.objects.filter(case=case, user=user).exists():
        if not reading:
            require_may_look([case], user)
        return
    with transaction.atomic():
        # A study that opens holds its readers' rows too: either it finds the look, or the look finds the study.
        User.objects.select_for_update().get(pk=user.pk)
        if not reading:
            require_may_look([case], user)
        _, created = Look.objects.get_or_create(case=case, user=user)
        if created:
            record(INSTALLATION, actor(user), "case.look", f"case:{case.pk}", {"case": case.pseudonym})


@dataclass(frozen=True)
class Fate:
    """What became of a file of a series, and the case that it is part of."""

    status: str
    reason: str
    case: Case | None


class _Importer:
    """Turns the reader's events into cases and one row per file, in small transactions."""

    def __init__(
        self,
        batch: Import,
        by: User | None,
        quarantine: bool,
        reason: str,
        keep: frozenset[str],
        progress: Watcher | None,
    ) -> None:
        self.batch, self.by, self.quarantine, self.reason, self.keep = batch, by, quarantine, reason, keep
        self.progress = progress
        self.fates: dict[int, Fate] = {}
        self.rows: list[ImportedFile] = []

    def take(self, events: Iterator[ReadEvent]) -> None:
        try:
            for event in events:
                if isinstance(event, SeriesImage):
                    self._take_series(event)
                    continue
                if isinstance(event, FileReport):
                    self._take_report(event)
                if self.progress:
                    self.progress(event)
        finally:
            self._flush()

    def _take_report(self, report: FileReport) -> None:
        """The reader reports a file after the cases it went into."""
        fate = self.fates.pop(report.index, None) if report.status == "accepted" else None
        if fate is None:
            sentence = NOT_IN_A_CASE if report.status == "accepted" else report.reason
            fate = Fate(ImportedFile.Status.REFUSED, sentence, None)
        self.rows.append(
            ImportedFile(
                batch=self.batch,
                number=report.index + 1,
                status=fate.status,
                reason=fate.reason[:400],
                case=fate.case,
            )
        )
        if len(self.rows) >= ROWS_AT_ONCE:
            self._flush()

    def _take_series(self, image: SeriesImage) -> None:
        try:
            stored = store_series(
                image, source=self.batch.source, by=self.by, quarantine=self.quarantine, reason=self.reason,
                keep=self.keep,
            )  # fmt: skip
        except ValueError as error:
            fate = Fate(ImportedFile.Status.REFUSED, str(error), None)
        else:
            case = stored.case
            known = "" if stored.created else f"Already imported as {case.pseudonym}: nothing was added."
            if case.state == Case.State.QUARANTINED:
                fate = Fate(ImportedFile.Status.QUARANTINED, known or case.state_reason, case)
            else:
                fate = Fate(ImportedFile.Status.ACCEPTED, known, case)
        self.fates.update(dict.fromkeys(image.files, fate))

    def _flush(self) -> None:
        ImportedFile.objects.bulk_create(self.rows)
        self.rows = []


@transaction.atomic
def _begin(source: Source, by: User | None, options: dict[str, object]) -> Import:
    batch = Import.objects.create(source=source, started_by=by, options=options)
    record(INSTALLATION, actor(by), "import.start", f"import:{batch.pk}", {"source": source.name, **options})
    return batch


@transaction.atomic
def _finish(batch: Import, by: User | None) -> Import:
    counts = {status: batch.files.filter(status=status).count() for status in ("accepted", "refused", "quarantined")}
    batch.accepted, batch.refused, batch.quarantined = counts.values()
    batch.finished_at = timezone.now()
    batch.save(update_fields=["accepted", "refused", "quarantined", "finished_at"])
    record(INSTALLATION, actor(by), "import.finish", f"import:{batch.pk}", counts)
    return batch


def _change_state(row: Case, state: str, by: User | None, verb: str, reason: str) -> Case:
    before, row.state, row.state_reason = row.state, state, reason.strip()[:400]
    row.save(update_fields=["state", "state_reason"])
    record(
        INSTALLATION, actor(by), verb, f"case:{row.pk}",
        {"case": row.pseudonym, "from": before, "to": state, "reason": row.state_reason},
    )  # fmt: skip
    return row


def _locked(case: Case) -> Case:
    return Case.objects.select_for_update().get(pk=case.pk)


def require_coordinator(by: User | None) -> None:
    """No person means a command of the administrator, who has the machine anyway."""
    if by is not None and not by.may_coordinate:
        raise PermissionDenied("Only a coordinator may do this: ask the administrator for the right.")


def require_valid(source: Source, quarantine: bool = True, reason: str = "") -> None:
    """Refuse with ``CaseError`` a source whose agreement has ended, and no quarantine without a reason."""
    if source.expires_on and source.expires_on < timezone.localdate():
        raise CaseError(
            f"The agreement for {source.name} ended on {source.expires_on:%Y-%m-%d}: "
            "renew it and change the date of the source."
        )
    if not quarantine and not reason.strip():
        raise CaseError("An import without quarantine needs a reason, for example “checked by the site before export”.")
