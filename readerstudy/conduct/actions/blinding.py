"""What stands between a person and the images they will read: looks at the cases, and other studies of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from readerstudy.accounts.models import User
from readerstudy.cases.models import Case, Look
from readerstudy.schedules.models import PracticeImage, Session
from readerstudy.studies.actions import StudyError, require_unprimed
from readerstudy.studies.blinding import drawn_cases
from readerstudy.studies.models import Reader, Study

MOST_NAMED = 5
OTHERWISE = "replace the reader, or leave these cases out of the frame (slices.left_out)"


def hold_people(readers: Iterable[Reader]) -> None:
    """Hold the readers' accounts for this transaction: a look that is under way waits, or is seen."""
    people = [reader.membership.user_id for reader in readers if reader.membership]
    list(User.objects.select_for_update().filter(pk__in=people).order_by("pk").values_list("pk"))


def require_blinded(study: Study, readers: Sequence[Reader]) -> None:
    """Nobody among the readers has seen a drawn case unblinded or will in another study; raises ``StudyError``."""
    faults = [*_looked(study, readers), *(fault for reader in readers for fault in _elsewhere(study, reader))]
    if faults:
        raise StudyError(f"{'; '.join(faults)}: {OTHERWISE}.")
    for reader in readers:
        if reader.membership:
            require_unprimed(study, reader.membership.user)


def require_free(study: Study, reader: Reader) -> None:
    """The same of who comes later, without a case's name: the person may be the one who reads the sentence."""
    if next(_elsewhere(study, reader), None):
        raise StudyError(
            f"{reader.pseudonym} would see references of this study's cases in another study that is still read: "
            "choose another reader."
        )


def _looked(study: Study, readers: Sequence[Reader]) -> list[str]:
    people = {reader.membership.user_id: reader.pseudonym for reader in readers if reader.membership}
    seen: dict[int, list[str]] = defaultdict(list)
    rows = Look.objects.filter(user__in=people, case__in=drawn_cases(study)).order_by("case__pseudonym")
    for person, case in rows.values_list("user", "case__pseudonym"):
        seen[person].append(case)
    return [f"{name} has seen {_named(seen[person])} unblinded" for person, name in people.items() if seen[person]]


def _elsewhere(study: Study, reader: Reader) -> Iterator[str]:
    """Studies that the reader still reads, where one of the two shows references of cases that the other asks for."""
    for other in _still_reads(reader, study):
        met = (_referenced(study) & _case_ids(other)) | (_case_ids(study) & _referenced(other))
        if met:
            cases = Case.objects.filter(pk__in=met).order_by("pseudonym").values_list("pseudonym", flat=True)
            yield (
                f"{reader.pseudonym} still reads the study \u201c{other.title}\u201d, and one of the two shows "
                f"references of {_named(list(cases))}"
            )


def _still_reads(reader: Reader, study: Study) -> list[Study]:
    if reader.membership is None:
        return []
    unsigned = Session.objects.filter(
        schedule__reader__membership__user=reader.membership.user_id, schedule__reader__state=Reader.State.ACTIVE,
        schedule__study__state=Study.State.OPEN, signed_at=None, waived_reason="",
    )  # fmt: skip
    return list(Study.objects.filter(pk__in=unsigned.values("schedule__study")).exclude(pk=study.pk))


def _case_ids(study: Study) -> set[UUID]:
    return set(drawn_cases(study).values_list("pk", flat=True))


def _referenced(study: Study) -> set[UUID]:
    """Cases of which the study's readers see the reference: beside, in the fidelity pass, or in practice."""
    practised = set(PracticeImage.objects.filter(study=study).values_list("slice__case", flat=True))
    shown = study.protocol["display"].get("reference") == "beside" or study.protocol["design"].get("fidelity", 0) > 0
    return practised | (_case_ids(study) if shown else set())


def _named(cases: list[str]) -> str:
    more = len(cases) - MOST_NAMED
    return ", ".join(cases[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
