"""Ask for runs: cases x methods at their levels, cut into jobs of at most 16 slices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from inference.data.dicom_types import training_source_ids
from inference.methods.register import METHODS, training_patients, validate_settings, weights_sha256, weights_trouble
from inference.physics.degrade import PHYSICS_PARAMETERS, physics_version
from inference.physics.levels import validate_level
from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.audit.canonical import sha256_of
from readerstudy.cases.actions import record_look
from readerstudy.cases.keys import fingerprint, source_hash
from readerstudy.cases.models import Case
from readerstudy.cases.queries import require_coordinator
from readerstudy.jobs import actions as jobs
from readerstudy.jobs.queries import counts as job_counts
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run
from readerstudy.reconstructions.queries import failed_runs, settings_hash

SLICES_PER_JOB = 16
VERSION = "1"
KIND = "reconstruct"
Levels = Mapping[str, float | Sequence[float]]


class RunError(ValueError):
    """Why a run was refused, in one sentence that says what to do."""


def physics_hash() -> str:
    """The version of the forward models with all their constants."""
    return sha256_of({"version": physics_version, "parameters": _plain(PHYSICS_PARAMETERS)})


@dataclass(frozen=True)
class Wanted:
    """One run that is asked for; no level means as acquired."""

    case: Case
    method: str
    level: float | None


def request_runs(
    cases: Iterable[Case],
    methods: Sequence[str],
    levels: Levels,
    by: User | None,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    leave_out: bool = False,
) -> list[Run]:
    """One run per case, method and level, with its jobs; what exists already is found, not made again.

    ``levels``: one level or several by modality; the method ``reference`` is always as acquired. Nothing is made where
    anything is refused, unless ``leave_out`` says to make the rest.
    """
    wanted, refused = plan_runs(cases, methods, levels)
    if refused and not leave_out:
        raise RunError(refused[0])
    full = {method: _validated(method, dict((settings or {}).get(method, {}))) for method in methods}
    return [_request_run(one, full[one.method], by) for one in wanted]


def plan_runs(cases: Iterable[Case], methods: Sequence[str], levels: Levels) -> tuple[list[Wanted], list[str]]:
    """What ``request_runs`` would ask for, and a sentence for each combination that it would refuse."""
    for method in methods:
        if method not in METHODS:
            raise RunError(f"There is no method {method!r}: choose one of {', '.join(METHODS)}.")
        if trouble := weights_trouble(method):
            raise RunError(trouble)
    trained = {method: training_hashes(method) for method in methods}
    wanted, refused = [], []
    for case in cases:
        for method in methods:
            try:
                _check(case, method, trained[method])
                wanted += [Wanted(case, method, level) for level in levels_for(case.modality, method, levels)]
            except RunError as error:
                refused.append(str(error))
    return wanted, list(dict.fromkeys(refused))


def levels_for(modality: str, method: str, levels: Levels) -> list[float | None]:
    """The levels of a method, each once and in the given order; raises ``RunError`` for one that can't be."""
    if method == "reference":
        return [None]
    given = levels.get(modality)
    several = [given] if isinstance(given, int | float) else list(given or ())
    if not several:
        raise RunError(f"Give a level for {modality}, for example a dose share, an acceleration or an SNR.")
    try:
        return list(dict.fromkeys(validate_level(modality, level) for level in several))
    except ValueError as error:
        raise RunError(str(error)) from error


@transaction.atomic
def _request_run(wanted: Wanted, settings: dict[str, Any], by: User | None) -> Run:
    case, method, level = wanted.case, wanted.method, wanted.level
    measurement, _ = Measurement.objects.get_or_create(
        case=case, level=level, physics=physics_hash(), defaults={"seed": measurement_seed(case, level)}
    )
    run, created = Run.objects.get_or_create(
        measurement=measurement, method=method, version=VERSION, settings_hash=settings_hash(method, settings),
        weights_hash=weights_sha256(method), seed=0,
        defaults={"settings": settings, "requested_by": by, "missing": case.slices.count()},
    )  # fmt: skip
    if created:
        record(
            INSTALLATION, by.handle if by else "program", "run.request", f"run:{run.pk}",
            {"case": case.pseudonym, "method": method, "level": level, "weights": run.weights_hash},
        )  # fmt: skip
    submit_jobs(run)
    return run


def submit_jobs(run: Run) -> int:
    """A job for every sixteen slices without a finished reconstruction, unless jobs of the run are under way."""
    if run.method not in METHODS:
        return 0  # made elsewhere
    counts = job_counts(run.job_prefix)
    if counts.open:
        return 0
    done = Reconstruction.objects.filter(run=run).exclude(pixels="").values("slice")
    missing = list(run.measurement.case.slices.exclude(pk__in=done).order_by("index").values_list("pk", flat=True))
    attempt = counts.done + counts.failed + counts.cancelled
    parts = [missing[start : start + SLICES_PER_JOB] for start in range(0, len(missing), SLICES_PER_JOB)]
    return jobs.submit_many(
        jobs.Submission(
            f"{run.job_prefix}{attempt}:{part[0]}", KIND, {"run": str(run.pk), "slices": part},
            queue=METHODS[run.method].queue, total=len(part),
        )
        for part in parts
    )  # fmt: skip


@transaction.atomic
def retry_run(run: Run, by: User) -> int:
    """Try the slices again that failed or were cancelled; returns the number of new jobs."""
    made = submit_jobs(run)
    if made:
        record(INSTALLATION, by.handle, "run.retry", f"run:{run.pk}", {"jobs": made})
    return made


def retry_failed(by: User) -> int:
    """Try again every run with a failed slice or job that is not under way; returns the number of those runs."""
    return sum(bool(retry_run(run, by)) for run in list(failed_runs()))


@transaction.atomic
def cancel_run(run: Run, by: User) -> int:
    """Call back what has not been reconstructed yet; returns the number of jobs called back."""
    return jobs.cancel(prefix=run.job_prefix, actor=by.handle)


@transaction.atomic
def open_comparison(case: Case, by: User) -> None:
    """Say that a person now sees every method's images of a case; called before any of them is sent."""
    require_coordinator(by)
    record_look(case, by)
    record(INSTALLATION, by.handle, "run.compare", f"case:{case.pk}", {"case": case.pseudonym})


def training_hashes(method: str) -> frozenset[str]:
    """Keyed hashes of every source id that the training list of the method's weights may stand for."""
    names = {name for patient in training_patients(method) for name in training_source_ids(patient)}
    return frozenset(source_hash(name) for name in names)


def _validated(method: str, settings: dict[str, Any]) -> dict[str, Any]:
    try:
        return validate_settings(method, settings)
    except ValueError as error:
        raise RunError(str(error)) from error


def _check(case: Case, method: str, trained: frozenset[str]) -> None:
    if case.state != Case.State.READY:
        raise RunError(f"Case {case.pseudonym} is {case.get_state_display()}: release it first.")
    if not all(known.startswith(f"{fingerprint()}:") for known in case.source_ids):
        raise RunError(f"Case {case.pseudonym} came in under another secret key: put that key back or import it again.")
    if trained.intersection(case.source_ids):
        raise RunError(
            f"Case {case.pseudonym} is in the training list of {METHODS[method].title}: it is not held out for it."
        )


def measurement_seed(case: Case, level: float | None) -> int:
    """Seeded by the case and the level, so that every method sees the same measurement."""
    return int(sha256_of({"case": case.key, "level": level})[:12], 16)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
