"""Every verb that moves a study: each checks role and state, runs in one transaction and writes its audit row."""

from readerstudy.conduct.actions.amendments import ALLOWED, Change, amend_study, changes_between
from readerstudy.conduct.actions.extension import extend_study
from readerstudy.conduct.actions.looks import Look, look_at_agreement
from readerstudy.conduct.actions.people import (
    InvitationGone,
    Invited,
    accept_invitation,
    invite,
    replace_reader,
    revoke_invitation,
    withdraw_reader,
)
from readerstudy.conduct.actions.transitions import (
    close_study,
    lock_study,
    open_study,
    set_paused,
    unblind_study,
    waive_session,
)

__all__ = [
    "ALLOWED",
    "Change",
    "InvitationGone",
    "Invited",
    "Look",
    "accept_invitation",
    "amend_study",
    "changes_between",
    "close_study",
    "extend_study",
    "invite",
    "lock_study",
    "look_at_agreement",
    "open_study",
    "replace_reader",
    "revoke_invitation",
    "set_paused",
    "unblind_study",
    "waive_session",
    "withdraw_reader",
]
