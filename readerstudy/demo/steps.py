"""The demo's steps, each of which finds what is done already and does the rest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from django.conf import settings
from django.utils.text import slugify

from inference.data.dicom_types import FileReport, Progress
from readerstudy.analytics.actions import make_snapshot
from readerstudy.analytics.models import Snapshot
from readerstudy.cases.actions import import_cases, import_phantom
from readerstudy.cases.models import Case, Import, ImportedFile, Source
from readerstudy.cases.sources import source_named
from readerstudy.conduct.actions import close_study, lock_study, open_study, unblind_study
from readerstudy.demo.bar import Bar
from readerstudy.demo.people import People
from readerstudy.demo.simulated import read_everything
from readerstudy.jobs import launch
from readerstudy.jobs.queries import counts, failures
from readerstudy.reading.models import Score
from readerstudy.reading.queries import SCORED
from readerstudy.reconstructions.actions import RunError, request_runs
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Presentation
from readerstudy.studies import protocol as protocols
from readerstudy.studies.actions import add_member, create_study
from readerstudy.studies.models import Membership, Study

METHODS = ("tv_recon", "pix2pix", "restormer", "diffusion_unet")
LEVELS = {"CT": 0.25, "MR": 6.0, "US": -6.0}
MATRIX = 256
WHEEL = "pydicom's test files"
PHANTOMS = "Procedural phantoms"
YOURS = "Your folder"
PROTOCOL = Path(__file__).with_name("protocol.toml")


@dataclass(frozen=True)
class Size:
    """How much the demo makes: phantoms per modality, their slices, and the slices of each study."""

    phantoms: int
    phantom_slices: int
    study_slices: int


SIZES = {"small": Size(4, 3, 24), "paper": Size(10, 4, 100)}


def import_wheel(people: People) -> Import | None:
    """The real DICOM files that ship in the pydicom wheel: many are refused, each with its sentence."""
    source = source_named(WHEEL, people.coordinator, licence="MIT and public test files")
    if done := source.imports.filter(finished_at__isnull=False).first():
        return done
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    return _import(folder, source, people, "These are public test files; people have looked at them for years.")


def import_yours(path: Path, people: People) -> Import:
    """A folder or zip of the user's own; what may show a face or burned-in text waits in quarantine."""
    source = source_named(YOURS, people.coordinator)
    return _import(path, source, people, "")


def _import(path: Path, source: Source, people: People, no_quarantine: str) -> Import:
    names: dict[int, str] = {}
    with Bar(f"Import {source.name[:19]}") as bar:

        def follow(event: FileReport | Progress) -> None:
            if isinstance(event, FileReport):
                names[event.index + 1] = event.path
            else:
                bar.show(event.done, event.total)

        batch = import_cases(
            path, source=source, by=people.coordinator, max_matrix=MATRIX, quarantine=not no_quarantine,
            reason=no_quarantine, progress=follow,
        )  # fmt: skip
    _print_refusals(batch, names)
    return batch


def _print_refusals(batch: Import, names: dict[int, str]) -> None:
    """One line per reason here, one line per file in a file of its own."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for row in batch.files.exclude(status=ImportedFile.Status.ACCEPTED).order_by("number"):
        reasons[f"{row.status}: {row.reason}"].append(names.get(row.number, f"file {row.number}"))
    for reason, files in reasons.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        print(f"  {files[0]}{more}: {reason}")
    path = settings.DATA_DIR / "demo" / f"not-accepted-{slugify(batch.source.name)}.txt"
    path.write_text("".join(f"{name}: {reason}\n" for reason, files in reasons.items() for name in files))
    print(f"  {batch.accepted} files accepted, {batch.refused} refused, {batch.quarantined} quarantined: {path}")


def import_phantoms(size: Size, people: People) -> None:
    source = source_named(PHANTOMS, people.coordinator, licence="made here")
    with Bar("Draw phantoms", 3 * size.phantoms) as bar:
        for modality in LEVELS:
            for seed in range(1, size.phantoms + 1):
                import_phantom(
                    modality,
                    seed,
                    source=source,
                    by=people.coordinator,
                    size=MATRIX,
                    n_slices=size.phantom_slices,
                )
                bar.step()


def request_all(people: People) -> list[str]:
    """Every method on every case that is ready; returns the sentences of what was refused."""
    refused = []
    cases = list(Case.objects.filter(state=Case.State.READY).order_by("pseudonym"))
    with Bar("Request runs", len(cases)) as bar:
        for case in cases:
            for method in ("reference", "degraded", *METHODS):
                try:
                    request_runs([case], [method], LEVELS, people.coordinator)
                except RunError as error:
                    refused.append(str(error))
            bar.step()
    return refused


@contextmanager
def workers(number: int) -> Iterator[None]:
    """Real Celery workers under the product's own supervisor, without the web server."""
    log = settings.DATA_DIR / "demo" / "workers.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            # Through the launcher, so that the workers don't outlive a demo that is killed.
            [sys.executable, "-S", launch.__file__, str(os.getpid()), "0", sys.executable, "manage.py", "up",
             "--no-web", "--workers", str(number)],
            cwd=settings.BASE_DIR, stdout=stream, stderr=stream,
        )  # fmt: skip
        try:
            yield
            if process.poll() is not None:
                raise SystemExit(f"The workers ended too early: see {log}.")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=60)


def wait_for_jobs(log: Path) -> None:
    """Follow the job table until nothing is left to do; failures are printed with their reason."""
    last, moved = -1, time.monotonic()
    with Bar("Reconstruct") as bar:
        while (now := counts("reconstruct:")).open:
            if now.progress != last:
                last, moved = now.progress, time.monotonic()
            if time.monotonic() - moved > 300:
                raise SystemExit(f"No slice was reconstructed for 5 minutes: see {log}.")
            bar.show(now.progress, now.total)
            time.sleep(0.5)
        bar.show(now.progress, now.total)
    for failure in failures("reconstruct:"):
        print(f"  {failure.key}: {failure.reason}")


def count_missing() -> int:
    """Slices of ready cases x the four methods that have no reconstruction."""
    slices = sum(case.slices.count() for case in Case.objects.filter(state=Case.State.READY))
    done = Reconstruction.objects.filter(
        run__method__in=METHODS, run__measurement__case__state=Case.State.READY
    ).exclude(pixels="")
    return slices * len(METHODS) - done.values("run__method", "slice").distinct().count()


def make_study(title: str, size: Size, people: People, readers: list[Any], *, fidelity: float = 0.0) -> Study:
    """Find or make one of the demo's studies and bring it to open; ``fidelity``: the share that is compared."""
    study = Study.objects.filter(title=title).first()
    if study is None:
        data = tomllib.loads(PROTOCOL.read_text())
        data["study"]["title"] = title
        data["slices"]["number"] = size.study_slices
        data["design"]["fidelity"] = fidelity
        study = create_study(protocols.from_data(data), people.coordinator)
    members = set(study.memberships.values_list("user", flat=True))
    for user, role in (
        (people.second_coordinator, Membership.Role.COORDINATOR),
        (people.analyst, Membership.Role.ANALYST),
        *((reader, Membership.Role.READER) for reader in readers),
    ):
        if user.pk not in members:
            add_member(study, user, role, people.coordinator)
    return open_study(study, people.coordinator) if study.state == Study.State.DRAFT else study


def read(study: Study) -> int:
    """Let the simulated readers score and sign; returns how many scores the study holds."""
    total = Presentation.objects.filter(
        session__schedule__study=study, session__schedule__reader__isnull=False, kind__in=SCORED
    ).count()
    with Bar("Simulated readers score", total) as bar:
        bar.show(Score.objects.filter(criterion__study=study).count())
        if study.state == Study.State.OPEN:
            read_everything(study, bar.step)
    return Score.objects.filter(criterion__study=study).count()


def conclude(study: Study, people: People) -> Snapshot:
    """Close, lock, unblind by the second coordinator, and freeze the numbers."""
    study.refresh_from_db()
    if study.state == Study.State.OPEN:
        study = close_study(study, people.coordinator)
    if study.state == Study.State.CLOSED:
        study = lock_study(study, people.coordinator)
    if study.state == Study.State.LOCKED:
        study = unblind_study(study, people.second_coordinator)
    return make_snapshot(study, people.analyst)
