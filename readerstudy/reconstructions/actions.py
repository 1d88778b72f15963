"""Ask for runs: cases x methods at their levels, cut into jobs of at most 16 slices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction

from inference.methods.register import METHODS, training_patients, validate_settings, weights_sha256
from inference.physics.degrade import PHYSICS_PARAMETERS, physics_version
from inference.physics.levels import validate_level
from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.audit.canonical import sha256_of
from readerstudy.cases.models import Case
from readerstudy.cases.queries import KeyChanged, seen_in_training
from readerstudy.jobs import actions as jobs
from readerstudy.jobs.queries import counts as job_counts
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run
from readerstudy.reconstructions.queries import settings_hash

SLICES_PER_JOB = 16
VERSION = "1"
KIND = "reconstruct"


class RunError(ValueError):
    """Why a run was refused, in one sentence that says what to do."""


def physics_hash() -> str:
    """The version of the forward models with all their constants."""
    return sha256_of({"version": physics_version, "parameters": _plain(PHYSICS_PARAMETERS)})


def request_runs(
    cases: Iterable[Case],
    methods: Sequence[str],
    levels: Mapping[str, float],
    by: User | None,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Run]:
    """One run per case and method, with its jobs; what exists already is found, not made again.

    ``levels``: level by modality; the method ``reference`` is always as acquired.
    """
    made = []
    for case in cases:
        for method in methods:
            level = None if method == "reference" else levels.get(case.modality)
            made.append(_request_run(case, method, level, by, dict((settings or {}).get(method, {}))))
    return made


@transaction.atomic
def _request_run(case: Case, method: str, level: float | None, by: User | None, settings: dict[str, Any]) -> Run:
    _check(case, method, level)
    try:
        full = validate_settings(method, settings)
    except ValueError as error:
        raise RunError(str(error)) from error
    measurement, _ = Measurement.objects.get_or_create(
        case=case, level=level, physics=physics_hash(), defaults={"seed": measurement_seed(case, level)}
    )
    run, created = Run.objects.get_or_create(
        measurement=measurement, method=method, version=VERSION, settings_hash=settings_hash(method, settings),
        weights_hash=weights_sha256(method), seed=0, defaults={"settings": full, "requested_by": by},
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


@transaction.atomic
def cancel_run(run: Run, by: User) -> int:
    """Call back what has not been reconstructed yet; returns the number of jobs called back."""
    return jobs.cancel(prefix=run.job_prefix, actor=by.handle)


def _check(case: Case, method: str, level: float | None) -> None:
    if method not in METHODS:
        raise RunError(f"There is no method {method!r}: choose one of {', '.join(METHODS)}.")
    if case.state != Case.State.READY:
        raise RunError(f"Case {case.pseudonym} is {case.get_state_display()}: release it first.")
    if method != "reference":
        if level is None:
            raise RunError(f"Give a level for {case.modality}, for example a dose share, an acceleration or an SNR.")
        try:
            validate_level(case.modality, level)
        except ValueError as error:
            raise RunError(str(error)) from error
    try:
        seen = seen_in_training(case, training_patients(method))
    except KeyChanged as error:
        raise RunError(str(error)) from error
    if seen:
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
