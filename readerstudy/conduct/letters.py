"""What a study writes to people. Each returns the addresses that its mail did not reach."""

from __future__ import annotations

from django.db.models import QuerySet
from django.urls import reverse

from readerstudy.accounts.mail import deliver
from readerstudy.audit import actions as audit
from readerstudy.conduct import queries
from readerstudy.conduct.actions import Invited
from readerstudy.conduct.actions.people import LIFETIME
from readerstudy.studies.models import Membership, Reader, Study


def send_invitation(made: Invited, site: str) -> list[str]:
    """The link, where the invitation names an address; ``site``: the product's address without a final slash."""
    invitation = made.invitation
    text = (
        f"You are invited to the study {invitation.study.title!r} as {invitation.get_role_display()}.\n\n"
        f"Open this link within {LIFETIME.days} days; it works once:\n"
        f"{site}{reverse('invitation', args=[made.token])}\n\n"
        "Research use only, not for diagnosis.\n"
    )
    return deliver(f"Invitation: {invitation.study.title}", text, [invitation.email])


def send_commitment(study: Study, readers: QuerySet[Reader]) -> list[str]:
    """Tell these readers and all coordinators what the order is sealed with; nobody while the study is a draft."""
    sealed, _ = queries.commitment_of(study)
    people = [reader.membership.user for reader in readers.select_related("membership__user") if reader.membership]
    if sealed is None or not people:
        return []
    coordinators = Membership.objects.filter(study=study, role=Membership.Role.COORDINATOR).select_related("user")
    text = (
        f"The study {study.title!r} is open.\n\nCommitment to the order of images: {sealed.commitment}\n"
        f"Head of the audit chain: {audit.head(study.chain)}\n\n"
        "Keep this message: after unblinding it proves that nothing was changed.\n"
    )
    addresses = [user.email for user in (*people, *(member.user for member in coordinators))]
    return deliver(f"Study open: {study.title}", text, addresses)


def show_commitment_to(addresses: list[str]) -> str:
    """What a coordinator is told about people whom the commitment did not reach."""
    return f"No mail went to {', '.join(addresses)}: show them the commitment, it stands on the study's page."
