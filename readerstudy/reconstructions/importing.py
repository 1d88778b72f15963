"""Reconstructions made elsewhere: DICOM that comes back is matched to its slices and becomes runs like any other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from django.core.exceptions import PermissionDenied
from django.db import transaction
from numpy.typing import NDArray

from inference.data.grid import GREY_RANGE, HU_RANGE, from_stored, to_stored
from inference.methods.register import METHODS
from inference.metrics.fidelity import Fidelity, fidelity
from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.audit.canonical import sha256_of
from readerstudy.cases import queries, store
from readerstudy.cases.actions import record_look
from readerstudy.cases.blinding import LookRefused, require_may_look
from readerstudy.cases.models import Case, Slice
from readerstudy.cases.scratch import scratch
from readerstudy.jobs import actions as jobs
from readerstudy.jobs.queries import counts
from readerstudy.reconstructions.export_items import instance_uid, series_uid
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run
from readerstudy.reconstructions.recording import counted

if TYPE_CHECKING:
    from inference.data.returned import Returned

KIND = "measure"
KEY = re.compile(r"[a-z][a-z0-9_]{1,39}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,19}")
ACCEPTED = "Accepted as slice {slice} of {case}."
OUTSIDE_SHARE = 0.5


class ReturnRefused(ValueError):
    """Why nothing is imported, or why one file is not, in one sentence that says what to do."""


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file; its name is shown to who sent it and kept nowhere."""

    path: str
    accepted: bool
    reason: str


@dataclass(frozen=True)
class ReturnReport:
    """One outcome per file, and the runs that hold the accepted ones."""

    files: list[FileOutcome]
    runs: list[Run]

    @property
    def accepted(self) -> int:
        return sum(file.accepted for file in self.files)

    @property
    def refused(self) -> int:
        return len(self.files) - self.accepted


@dataclass(frozen=True)
class _Match:
    """A slice at a level, as the UID of its input says."""

    measurement: Measurement
    slice: Slice


@dataclass(frozen=True)
class _Accepted:
    match: _Match
    pixels: str
    measured: Fidelity


def import_reconstructions(path: Path, *, method: str, version: str, by: User | None, name: str = "") -> ReturnReport:
    """Import a folder or zip of DICOM that an outside method made of exported inputs.

    A file finds its slice by the images it refers to, else by its own SOPInstanceUID, else by its name in a manifest of
    ours beside it. Nothing that is stored already is changed; whoever brings images has seen their cases from now on.
    Raises ``ReturnRefused``.
    """
    from inference.data.returned import ReturnError, read_returned

    _require_valid(method, version, name, by)
    if not path.exists():
        raise ReturnRefused(f"There is nothing at {path}: give a folder or a zip of DICOM files.")
    taker = _Taker(method, version, by)
    with scratch() as out:
        try:
            files = [taker.take(file) for file in read_returned(path, out)]
        except ReturnError as error:
            raise ReturnRefused(str(error)) from error
    if not files:
        raise ReturnRefused("There is no file to import: give a folder or a zip of DICOM files.")
    return ReturnReport(files, _store(list(taker.accepted.values()), method, version, name, by))


def _require_valid(method: str, version: str, name: str, by: User | None) -> None:
    if by is not None and not by.may_coordinate:
        raise PermissionDenied("Only a coordinator may do this: ask the administrator for the right.")
    if method in METHODS:
        raise ReturnRefused(f"{method} is a method of this program: give the outside method a key of its own.")
    if not KEY.fullmatch(method):
        raise ReturnRefused("A method's key has 2 to 40 small letters, digits and underscores, for example “our_unet”.")
    if not VERSION.fullmatch(version):
        raise ReturnRefused("A version has up to 20 letters, digits, dots and dashes, for example “1.2”.")
    if len(name) > 80:
        raise ReturnRefused("The method's name is longer than 80 characters: shorten it.")


class _Taker:
    """Checks one file after the other against the slices of this installation."""

    def __init__(self, method: str, version: str, by: User | None) -> None:
        self.method, self.version, self.by = method, version, by
        rows = Measurement.objects.exclude(level=None).select_related("case")
        self.series = {series_uid(row): row for row in rows.iterator()}
        self.accepted: dict[tuple[int, int], _Accepted] = {}

    def take(self, file: Returned) -> FileOutcome:
        try:
            match = self._accept(file)
        except ReturnRefused as error:
            return FileOutcome(file.path, False, str(error))
        sentence = ACCEPTED.format(slice=match.slice.index + 1, case=match.measurement.case.pseudonym)
        return FileOutcome(file.path, True, sentence)

    def _accept(self, file: Returned) -> _Match:
        if file.refusal or file.values is None:
            raise ReturnRefused(file.refusal or "The file holds no image: leave it out.")
        match = self._match(file)
        case, key = match.measurement.case, (match.measurement.pk, match.slice.pk)
        if key in self.accepted:
            raise ReturnRefused(
                f"Another file of this import is slice {match.slice.index + 1} of {case.pseudonym} at the same level: "
                "send one file per slice."
            )
        reference = queries.values(match.slice)
        _check_image(file, case, reference)
        _check_blinded(case, self.by)
        stored = to_stored(file.values, reference, case.modality, case.slope, case.intercept)
        pixels = store.put_slice(stored)
        self._check_known(match, pixels)
        image = from_stored(stored, case.slope, case.intercept)
        self.accepted[key] = _Accepted(match, pixels, fidelity(reference, image, case.modality, case.data_range))
        return match

    def _match(self, file: Returned) -> _Match:
        own, sources = file.references[-1:], file.references[:-1]
        for candidates in (sources, own, (file.named,)):
            found = {(found[0].pk, found[1]): found for uid in candidates if (found := self._known(uid))}
            if len(found) > 1:
                raise ReturnRefused("It refers to several slices of this installation: refer to the one it belongs to.")
            for measurement, index in found.values():
                row = Slice.objects.select_related("case").filter(case=measurement.case_id, index=index).first()
                if row is not None:
                    return _Match(measurement, row)
        raise ReturnRefused(
            "It names no slice of this installation: keep the input's SOPInstanceUID or list it in SourceImageSequence."
        )

    def _known(self, uid: str) -> tuple[Measurement, int] | None:
        series, _, number = uid.rpartition(".")
        measurement = self.series.get(series)
        if measurement is None or not number.isdecimal() or uid != instance_uid(series, int(number) - 1):
            return None
        return measurement, int(number) - 1

    def _check_known(self, match: _Match, pixels: str) -> None:
        earlier = Reconstruction.objects.filter(
            run__measurement=match.measurement, run__method=self.method, run__version=self.version, slice=match.slice
        ).first()
        if earlier is not None and earlier.pixels != pixels:
            raise ReturnRefused(
                f"Version {self.version} of {self.method} has another image of this slice already: "
                "give what has changed a new version."
            )


def _check_blinded(case: Case, by: User | None) -> None:
    if by is not None:
        try:
            require_may_look([case], by)
        except LookRefused as error:
            raise ReturnRefused(error.sentence) from error


def _check_image(file: Returned, case: Case, reference: NDArray[np.float32]) -> None:
    assert file.values is not None
    values = file.values
    if case.state != Case.State.READY:
        raise ReturnRefused(f"Case {case.pseudonym} is {case.get_state_display()}: leave its files out.")
    if file.modality != case.modality:
        raise ReturnRefused(f"It is {file.modality}, its slice {case.modality}: write the input's modality.")
    if values.shape != reference.shape:
        raise ReturnRefused(
            f"It has {values.shape[0]} x {values.shape[1]} pixels, its slice {reference.shape[0]} x "
            f"{reference.shape[1]}: return the same shape."
        )
    if not np.isfinite(values).all():
        raise ReturnRefused("It holds values that are not numbers: write finite ones.")
    if values.min() == values.max():
        raise ReturnRefused("Every pixel has the same value: check how the file was written.")
    high = {"CT": HU_RANGE[1], "US": GREY_RANGE[1]}.get(case.modality, 1.25 * float(reference.max()))
    low = HU_RANGE[0] if case.modality == "CT" else 0.0
    # Every unit of this scale is a rounding of the outside program at most.
    margin = 0.01 * (high - low)
    if float(np.mean((values < low - margin) | (values > high + margin))) > OUTSIDE_SHARE:
        raise ReturnRefused(
            "Most values lie outside what the input can show: compare RescaleSlope and RescaleIntercept with it."
        )


@transaction.atomic
def _store(accepted: list[_Accepted], method: str, version: str, name: str, by: User | None) -> list[Run]:
    """Runs and reconstructions, with an audit entry per run and a job that adds what needs the feature network."""
    grouped: dict[int, list[_Accepted]] = defaultdict(list)
    for one in accepted:
        grouped[one.match.measurement.pk].append(one)
    if by is not None:
        for case in {one.match.slice.case_id: one.match.slice.case for one in accepted}.values():
            record_look(case, by)
    runs = []
    for parts in grouped.values():
        measurement = parts[0].match.measurement
        run, _ = Run.objects.get_or_create(
            measurement=measurement, method=method, version=version, weights_hash="", seed=0,
            settings_hash=sha256_of({"method": method, "imported": True}),
            defaults={
                "imported": True, "settings": {"name": name} if name else {}, "requested_by": by,
                "missing": measurement.case.slices.count(),
            },
        )  # fmt: skip
        with counted(run):
            new = list(_add_missing(run, parts))
        runs.append(run)
        if new:
            record(
                INSTALLATION, by.handle if by else "program", "run.import", f"run:{run.pk}",
                {
                    "case": measurement.case.pseudonym, "method": method, "version": version,
                    "level": measurement.level, "pixels": new,
                },
            )  # fmt: skip
            _submit_measuring(run, len(new))
    return runs


def _add_missing(run: Run, parts: list[_Accepted]) -> Iterator[str]:
    for part in parts:
        psnr = part.measured.psnr if np.isfinite(part.measured.psnr) else None
        _, created = Reconstruction.objects.get_or_create(
            run=run, slice=part.match.slice,
            defaults={
                "pixels": part.pixels, "psnr": psnr, "ssim": part.measured.ssim, "nmse": part.measured.nmse,
            },
        )  # fmt: skip
        if created:
            yield part.pixels


def _submit_measuring(run: Run, total: int) -> None:
    prefix = f"{KIND}:{run.pk}:"
    before = counts(prefix)
    number = before.open + before.done + before.failed + before.cancelled
    jobs.submit(f"{prefix}{number}", KIND, {"run": str(run.pk)}, total=total)


def measure(claim: jobs.Claim) -> None:
    """Job handler: payload ``{"run": id}``; adds the FID-Med features of imported images, which need torch."""
    from readerstudy.reconstructions import tasks

    run = Run.objects.select_related("measurement__case").get(pk=claim.payload["run"])
    case = run.measurement.case
    rows = run.reconstructions.filter(features="").exclude(pixels="").select_related("slice__case")
    for number, row in enumerate(rows.order_by("slice__index"), start=1):
        image = from_stored(store.get_slice(row.pixels, case.rows, case.columns), case.slope, case.intercept)
        both = tasks._features([image, queries.values(row.slice)], case)
        with claim.fenced():
            Reconstruction.objects.filter(pk=row.pk).update(
                features=store.put(np.ascontiguousarray(both[0], "<f4").tobytes()),
                feature_network=tasks.feature_network(),
                feature_distance=float(np.linalg.norm(both[0].astype(float) - both[1].astype(float))),
            )
        claim.progress(number)
