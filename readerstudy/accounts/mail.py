"""Mail to people: sent once what it tells of is stored, over one connection, and what did not go is said."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext_lazy as _

from readerstudy.accounts.outages import Unavailable

NOT_SENT = ("console", "dummy")  # what the backends of an installation without e-mail are called

log = logging.getLogger(__name__)


class MailAway(Unavailable):
    """The mail server refuses or does not answer."""

    title = _("The mail could not be sent: the mail server does not answer at the moment")


def deliver(subject: str, text: str, addresses: Iterable[str]) -> list[str]:
    """The addresses that got no mail: refused ones, and all where no mail server answers or none is set up."""
    wanted = list(dict.fromkeys(filter(None, addresses)))
    if not wanted:
        return []
    left = dict.fromkeys(wanted)
    try:
        with get_connection() as connection:
            for address in wanted:
                try:
                    connection.send_messages([EmailMessage(subject, text, to=[address])])
                    del left[address]
                except OSError as error:  # smtplib's errors are among them; another address may be accepted
                    log.warning("A mail was not sent: %s", type(error).__name__)
    except OSError as error:
        log.warning("%s mails were not sent: %s", len(left), type(error).__name__)
    return list(left) if is_set_up() else wanted


def is_set_up() -> bool:
    """Whether mail leaves this installation; else it stands on the console, or nowhere."""
    return settings.EMAIL_BACKEND.split(".")[-2] not in NOT_SENT
