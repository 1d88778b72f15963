"""Links for reviewers: read-only, expiring, and without anything that tells whose study it is."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, replace
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.accounts.tokens import digest
from readerstudy.analytics.compute import document_text
from readerstudy.analytics.exports import build_zip
from readerstudy.analytics.inputs import Inputs, inputs_of
from readerstudy.analytics.models import ReviewLink, Snapshot
from readerstudy.analytics.queries import analyst_study
from readerstudy.analytics.report.flow import Sample
from readerstudy.audit.actions import record
from readerstudy.studies.protocol import Protocol

LONGEST_DAYS = 365
WITHHELD = "withheld for review"


class ReviewError(ValueError):
    """Why there is no link, in one sentence that says what to do."""


@transaction.atomic
def make_review_link(snapshot: Snapshot, by: User, title: str, days: int) -> tuple[ReviewLink, str]:
    """A new link and its token, which is shown once; raises ``ReviewError``."""
    analyst_study(by, snapshot.study_id)
    if not title.strip():
        raise ReviewError("Give the study a title that tells nobody whose it is, for example “Four methods for CT”.")
    if not 1 <= days <= LONGEST_DAYS:
        raise ReviewError(f"A link lasts from 1 to {LONGEST_DAYS} days: choose a number between them.")
    token = secrets.token_urlsafe(32)
    link = ReviewLink.objects.create(
        snapshot=snapshot, token_hash=digest(token), title=title.strip()[:200], made_by=by,
        expires_at=timezone.now() + timedelta(days=days),
    )  # fmt: skip
    data = {"snapshot": str(snapshot.pk), "expires": link.expires_at.isoformat()}
    record(snapshot.study.chain, by.handle, "review.make", f"review:{link.pk}", data)
    return link, token


@transaction.atomic
def revoke_review_link(link: ReviewLink, by: User) -> None:
    """Take a link back; harmless when it is taken back already."""
    analyst_study(by, link.snapshot.study_id)
    if link.revoked_at is None:
        link.revoked_at = timezone.now()
        link.save(update_fields=["revoked_at"])
        record(link.snapshot.study.chain, by.handle, "review.revoke", f"review:{link.pk}", {})


def usable_link(token: str) -> ReviewLink | None:
    """The link behind a token if it is neither over nor taken back; the opening is counted."""
    found = (
        ReviewLink.objects.select_related("snapshot__study")
        .filter(token_hash=digest(token), revoked_at=None, expires_at__gt=timezone.now())
        .first()
    )
    if found is not None:
        ReviewLink.objects.filter(pk=found.pk).update(opened_at=timezone.now(), openings=F("openings") + 1)
    return found


def anonymous(inputs: Inputs, title: str) -> Inputs:
    """The inputs without the study's title and id, and without anybody's own words."""
    facts = replace(inputs.facts, title=title, study=WITHHELD, extends={})
    return replace(
        inputs,
        facts=facts,
        marks=tuple(replace(mark, comment="") for mark in inputs.marks),
        guesses=tuple(replace(guess, reason="") for guess in inputs.guesses),
        records=tuple(replace(line, specialty="", conflicts="") for line in inputs.records),
    )


def anonymous_protocol(protocol: Protocol) -> Protocol:
    """The protocol without approval, registration and names of sources."""
    study = replace(protocol.study, approval_body=WITHHELD, approval_number="", registration="")
    sources = [f"source {number}" for number, _ in enumerate(protocol.slices.sources, start=1)]
    return replace(protocol, study=study, slices=replace(protocol.slices, sources=sources))


def anonymous_sample(patients: Sample) -> Sample:
    """The table of patients with numbered sources."""
    rows, number = [], 0
    for row in patients.rows:
        if row.name == "Source":
            number += 1
            row = replace(row, value=f"source {number}")
        rows.append(row)
    return replace(patients, rows=rows)


def anonymous_zip(link: ReviewLink) -> bytes:
    """The export of the snapshot for a reviewer; it recomputes to the same digits as the study's own."""
    snapshot = link.snapshot
    inputs = anonymous(inputs_of(snapshot.statistics, snapshot.tables), link.title)
    document = json.loads(snapshot.statistics)
    document["study"] = asdict(inputs.facts)
    return build_zip(document_text(document), inputs, snapshot.chain_head)
