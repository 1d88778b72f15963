"""Data out: degraded inputs of cases, and reconstructions of runs, as one zip of derived DICOM with a manifest.

An export is a folder below ``DATA_DIR/exports`` with what was asked for, jobs that write one part each (one case at one
level, or one run), and the zip that the last of them puts together. Nothing here loads torch.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.cases.actions import record_look
from readerstudy.cases.models import Case
from readerstudy.jobs import actions as jobs
from readerstudy.reconstructions.actions import Levels, RunError, levels_for, measurement_seed, physics_hash
from readerstudy.reconstructions.export_items import Item, input_item, reconstruction_item
from readerstudy.reconstructions.export_list import KIND, find_export, prefix, read_request, root, zip_path
from readerstudy.reconstructions.models import Measurement, Run

MOST_SLICES = 5000
NOTICE = "Research use only, not for diagnosis"
ITEMS = "items.json"
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


class ExportError(ValueError):
    """Why an export was refused, in one sentence that says what to do."""


def request_inputs(cases: Iterable[Case], levels: Levels, by: User | None) -> UUID:
    """The degraded inputs of cases at their levels; whoever asks has seen the cases from now on."""
    measurements = []
    with transaction.atomic():
        for case in cases:
            try:
                wanted = levels_for(case.modality, "degraded", levels)
            except RunError as error:
                raise ExportError(str(error)) from error
            for level in wanted:
                measurement, _ = Measurement.objects.get_or_create(
                    case=case, level=level, physics=physics_hash(), defaults={"seed": measurement_seed(case, level)}
                )
                measurements.append(measurement)
        parts = [(m.case, {"measurement": m.pk}) for m in measurements]
        return _request("Degraded inputs", parts, by)


def request_reconstructions(runs: Iterable[Run], by: User | None) -> UUID:
    """The finished reconstructions of runs; whoever asks has seen the cases from now on."""
    chosen = list(runs)
    methods = ", ".join(sorted({run.method for run in chosen}))
    with transaction.atomic():
        parts = [(run.measurement.case, {"run": str(run.pk)}) for run in chosen]
        return _request(f"Reconstructions by {methods}", parts, by)


def _request(title: str, parts: list[tuple[Case, dict[str, Any]]], by: User | None) -> UUID:
    if by is not None and not by.may_coordinate:
        raise PermissionDenied("Only a coordinator may do this: ask the administrator for the right.")
    if not parts:
        raise ExportError("There is nothing to export: choose cases that are ready, or runs.")
    cases = {case.pk: case for case, _ in parts}
    sizes = {case.pk: case.slices.count() for case in cases.values()}
    for case in cases.values():
        if case.state != Case.State.READY:
            raise ExportError(
                f"Case {case.pseudonym} is {case.get_state_display()}: release it first, or leave it out."
            )
    total = sum(sizes[case.pk] for case, _ in parts)
    if total > MOST_SLICES:
        raise ExportError(
            f"These are {total:,} slices, more than {MOST_SLICES:,}: choose fewer cases or levels at a time."
        )
    made = uuid4()
    for case in cases.values():
        if by is not None:
            record_look(case, by)
    names = sorted(case.pseudonym for case in cases.values())
    record(
        INSTALLATION,
        by.handle if by else "program",
        "export.request",
        f"export:{made}",
        {"title": title, "cases": names},
    )
    _write_request(made, {
        "title": title, "by": by.handle if by else "program", "at": timezone.now().isoformat(), "cases": names,
        "parts": len(parts), "slices": total,
    })  # fmt: skip
    jobs.submit_many(
        jobs.Submission(
            f"{prefix(made)}{number:05d}", KIND, {"export": str(made), "part": number, **ids}, total=sizes[case.pk]
        )
        for number, (case, ids) in enumerate(parts)
    )
    return made


def open_export(made: UUID, by: User) -> Path:
    """The zip to download, for someone who has seen its cases from now on; raises ``ExportError``."""
    found = find_export(made)
    if found is None or not found.ready:
        raise ExportError("The export is not ready: wait until its jobs are done, or try them again.")
    cases = list(Case.objects.filter(pseudonym__in=found.cases))
    gone = [case.pseudonym for case in cases if case.state == Case.State.WITHDRAWN]
    if gone:
        raise ExportError(f"Case {gone[0]} was withdrawn since: request an export without it.")
    with transaction.atomic():
        for case in cases:
            record_look(case, by)
        record(INSTALLATION, by.handle, "export.download", f"export:{made}", {"cases": found.cases})
    return zip_path(made)


def retry_export(made: UUID, by: User) -> int:
    """Try the parts again that failed; returns their number."""
    return jobs.retry(prefix=prefix(made), actor=by.handle)


def export(claim: jobs.Claim) -> None:
    """Job handler: payload ``{"export", "part", "measurement" or "run"}``; the last part puts the zip together."""
    made = UUID(claim.payload["export"])
    if zip_path(made).exists():
        return
    target = _part_path(made, int(claim.payload["part"]))
    if not target.exists():
        with _replacing(target) as (stream, keep):
            _write_part(claim, stream)
            with claim.fenced():
                keep()
    _assemble(made)


def _write_part(claim: jobs.Claim, stream: Any) -> None:
    items = []
    with zipfile.ZipFile(stream, "w") as archive:
        for number, (files, item) in enumerate(_slices(claim.payload), start=1):
            for name, content in files.items():
                _add(archive, name, content)
            items.append(item)
            claim.progress(number)
        _add(archive, ITEMS, json.dumps(items).encode())


def _slices(payload: Mapping[str, Any]) -> Iterator[Item]:
    if "run" in payload:
        run = Run.objects.select_related("measurement__case__patient").get(pk=payload["run"])
        _require_ready(run.measurement.case)
        for row in run.reconstructions.exclude(pixels="").select_related("slice").order_by("slice__index"):
            yield reconstruction_item(run, row)
        return
    measurement = Measurement.objects.select_related("case__patient").get(pk=payload["measurement"])
    _require_ready(measurement.case)
    for part in measurement.case.slices.order_by("index"):
        yield input_item(measurement, part)


def _require_ready(case: Case) -> None:
    if case.state != Case.State.READY:
        raise jobs.JobFailure(f"Case {case.pseudonym} is {case.get_state_display()}: request an export without it.")


def _assemble(made: UUID) -> None:
    """Put the parts together once all are there; whoever comes second finds the zip or writes the same again."""
    wanted = read_request(made)
    parts = [_part_path(made, number) for number in range(int(wanted["parts"]))] if wanted else []
    if not parts or not all(part.exists() for part in parts):
        return
    try:
        with _replacing(zip_path(made)) as (stream, keep):
            items: list[dict[str, Any]] = []
            with zipfile.ZipFile(stream, "w") as archive:
                for part in parts:
                    with zipfile.ZipFile(part) as opened:
                        for name in opened.namelist():
                            if name == ITEMS:
                                items += json.loads(opened.read(name))
                            else:
                                _add(archive, name, opened.read(name))
                _add(archive, "manifest.json", _manifest(wanted, items))
            keep()
    except FileNotFoundError:
        if not zip_path(made).exists():
            raise
    for part in parts:
        part.unlink(missing_ok=True)


def _manifest(wanted: Mapping[str, Any], items: list[dict[str, Any]]) -> bytes:
    content = {
        "notice": NOTICE,
        "identity": "Pseudonymised, not anonymous: the installation that made it can link it to its source.",
        "title": wanted["title"],
        "made_at": wanted["at"],
        "return": "Keep SOPInstanceUID, or list it in SourceImageSequence, so that a result finds its slice again.",
        "items": items,
    }
    return json.dumps(content, indent=1).encode()


def _part_path(made: UUID, number: int) -> Path:
    return root() / str(made) / f"{number:05d}.zip"


def _write_request(made: UUID, wanted: dict[str, Any]) -> None:
    (root() / str(made)).mkdir(parents=True)
    with _replacing(root() / str(made) / "request.json") as (stream, keep):
        stream.write(json.dumps(wanted).encode())
        keep()


class _replacing:
    """A file under a temporary name; ``keep()`` makes it durable under its own, and without it nothing is left."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> tuple[Any, Any]:
        descriptor, self.name = tempfile.mkstemp(prefix=".new-", dir=self.target.parent)
        self.stream = os.fdopen(descriptor, "w+b")
        return self.stream, self._keep

    def _keep(self) -> None:
        self.stream.flush()
        os.fsync(self.stream.fileno())
        os.replace(self.name, self.target)

    def __exit__(self, *error: object) -> None:
        self.stream.close()
        with suppress(FileNotFoundError):
            os.unlink(self.name)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _ZIP_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content, compresslevel=3)
