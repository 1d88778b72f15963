"""An extension study: the same slices with new arms or readers; its order's secret, plan and unblinding are its own."""

from __future__ import annotations

from django.db import transaction

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.studies.actions import StudyError, create_study, hold
from readerstudy.studies.models import Study
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import protocol_of


@transaction.atomic
def extend_study(study: Study, by: User, protocol: Protocol) -> Study:
    """A draft over the slices that were drawn for ``study``; opening it copies them."""
    parent = hold(study, by)
    if parent.state == Study.State.DRAFT:
        raise StudyError("Open the study first: only then are there slices that an extension can share.")
    drawn = protocol_of(parent)
    if (protocol.slices, protocol.study.seed) != (drawn.slices, drawn.study.seed):
        raise StudyError(
            "slices and study.seed: an extension shows the slices that were drawn; leave both as they are."
        )
    made = create_study(protocol, by, extends=parent)
    record(parent.chain, by.handle, "study.extend", f"study:{parent.pk}", {"extension": str(made.pk)})
    return made
