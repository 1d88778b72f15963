"""Who may see which study, and the frame of eligible slices."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.http import Http404
from django.utils.translation import gettext as _

from readerstudy.accounts.models import User
from readerstudy.cases.models import Case, Slice
from readerstudy.studies import protocol
from readerstudy.studies.models import Membership, Study

COORDINATOR = frozenset({Membership.Role.COORDINATOR})
ANALYST = frozenset({Membership.Role.ANALYST, Membership.Role.COORDINATOR})


def study_for(user: User | AnonymousUser, pk: UUID | str, roles: Collection[str]) -> tuple[Study, Membership]:
    """The study if the person has one of the roles in it; everyone else learns nothing (404)."""
    try:
        found = Membership.objects.select_related("study", "user").get(
            study_id=pk, user_id=user.pk or 0, role__in=list(roles)
        )
    except (Membership.DoesNotExist, ValidationError, ValueError) as error:
        raise Http404 from error
    return found.study, found


def studies_of(user: User) -> QuerySet[Study]:
    """The studies a person coordinates or analyses, the newest first."""
    return Study.objects.filter(
        memberships__user=user, memberships__role__in=[Membership.Role.COORDINATOR, Membership.Role.ANALYST]
    ).order_by("-created_at")


def protocol_of(study: Study) -> protocol.Protocol:
    return protocol.from_data({**study.protocol, "plan": study.plan})


def eligible_slices(rules: protocol.SliceRules) -> QuerySet[Slice]:
    """The frame from which slices are drawn, in an order that never depends on the database's mood."""
    slices = Slice.objects.filter(case__state=Case.State.READY, body_share__gte=rules.minimum_body_share)
    if not rules.edge_slices:
        slices = slices.filter(edge=False)
    if rules.anatomy:
        slices = slices.filter(case__anatomy__in=rules.anatomy)
    if rules.sources:
        slices = slices.filter(case__source__name__in=rules.sources)
    if rules.picked:
        whole = [entry for entry in rules.picked if "/" not in entry]
        number = Cast(F("index") + 1, CharField())
        named = slices.alias(name=Concat("case__pseudonym", Value("/"), number, output_field=CharField()))
        slices = named.filter(Q(case__pseudonym__in=whole) | Q(name__in=map(_plain, rules.picked)))
    if rules.left_out:
        slices = slices.exclude(case__pseudonym__in=rules.left_out)
    return slices.select_related("case__patient").order_by("case__pseudonym", "index")


def strange_choices(rules: protocol.SliceRules) -> list[str]:
    """What was picked or left out by hand and is no case or no eligible slice, as it was written."""
    known = set(Case.objects.filter(pseudonym__in=rules.left_out).values_list("pseudonym", flat=True))
    eligible = eligible_slices(rules).values_list("case__pseudonym", "index") if rules.picked else []
    found = {name for case, index in eligible for name in (case, f"{case}/{index + 1}")}
    return [e for e in rules.left_out if e not in known] + [e for e in rules.picked if _plain(e) not in found]


def _plain(entry: str) -> str:
    """``CT-0001/03`` is slice 3 as well."""
    case, slash, number = entry.partition("/")
    return f"{case}/{int(number)}" if slash else case


def chosen_by_hand(picked: Collection[str], left_out: Collection[str]) -> list[str]:
    """One sentence for each way in which the frame was not made by rule alone; nothing where it was."""
    sentences = []
    if n := len(picked):
        entries = "one case or slice is" if n == 1 else f"{n} cases or slices are"
        sentences.append(f"The slices are picked by hand, not by rule alone: {entries} named as the frame of the draw.")
    if n := len(left_out):
        cases = "One case is" if n == 1 else f"{n} cases are"
        sentences.append(f"{cases} left out of the frame of slices by hand.")
    return sentences


def preset_windows(modality: str) -> list[dict[str, Any]]:
    """Named windows in HU for CT; MR and ultrasound have the slice's own window only."""
    if modality != "CT":
        return []
    named = [
        (_("Chest"), -600, 1500), (_("Abdomen"), 50, 400), (_("Bone"), 400, 1800), (_("Brain"), 40, 80),
        (_("Soft tissue"), 40, 400),
    ]  # fmt: skip
    return [{"name": name, "center": center, "width": width} for name, center, width in named]
