"""Bring a person into a study, and say why something changes."""

from __future__ import annotations

import tomllib
from typing import Any

from django import forms

from readerstudy.accounts.models import User
from readerstudy.studies.models import Membership
from readerstudy.studies.protocol import Protocol, ProtocolError, from_data

LARGEST_TEXT = 50_000


class MemberForm(forms.Form):
    """A person by the name they sign in with, and their role."""

    username = forms.CharField(label="Signs in as", max_length=150)
    role = forms.ChoiceField(label="Role", choices=Membership.Role.choices)

    def clean_username(self) -> User:
        return known_person(self.cleaned_data["username"])


def known_person(name: str) -> User:
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise forms.ValidationError("Nobody signs in under this name: invite the person by a link.")
    return user


class InviteForm(forms.Form):
    """A role, and the address that gets the link."""

    email = forms.EmailField(label="E-mail (optional)", max_length=254, required=False)
    role = forms.ChoiceField(label="Invite as", choices=Membership.Role.choices, initial=Membership.Role.READER)

    @classmethod
    def of(cls, *, readers: bool) -> InviteForm:
        """An empty form; without radiologists once the study is open, where one can only replace another."""
        form = cls()
        if not readers:
            rest = [choice for choice in Membership.Role.choices if choice[0] != Membership.Role.READER]
            form.fields["role"] = forms.ChoiceField(label="Invite as", choices=rest)
        return form


class ReasonForm(forms.Form):
    reason = forms.CharField(label="Reason", max_length=400)


class ReplaceForm(forms.Form):
    """Who takes the reserve schedule: a person with an account, or an invited one."""

    username = forms.CharField(label="Signs in as", max_length=150, required=False)
    email = forms.EmailField(label="or invite by e-mail", max_length=254, required=False)
    reason = forms.CharField(label="Reason, without names", max_length=400)

    def clean_username(self) -> User | None:
        name = self.cleaned_data["username"]
        return known_person(name) if name else None

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.errors and (data.get("username") is None) == (not data.get("email")):
            raise forms.ValidationError("Write the name of a person with an account, or an address to invite.")
        return data


class AmendmentForm(forms.Form):
    """The file of what may still change, and why it changes."""

    text = forms.CharField(
        label="Protocol and plan, as far as they may still change (TOML)", max_length=LARGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "code"}),
    )  # fmt: skip
    reason = forms.CharField(
        label="Reason", max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Stands in the audit chain for ever: without names.",
    )  # fmt: skip

    def __init__(self, *args: Any, now: Protocol, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now

    def clean(self) -> dict[str, Any]:
        """``protocol``: the study's own with the keys of the file in their places."""
        data: dict[str, Any] = super().clean() or {}
        whole = {**self.now.as_data(), "plan": self.now.plan_as_data()}
        try:
            written = tomllib.loads(data.get("text", "").replace("\r\n", "\n"))
            for section, part in written.items():
                both = isinstance(part, dict) and isinstance(whole.get(section), dict)
                whole[section] = {**whole[section], **part} if both else part
            data["protocol"] = from_data(whole)
        except tomllib.TOMLDecodeError as error:
            raise forms.ValidationError(f"The file is not valid TOML: {error}.") from error
        except ProtocolError as error:
            raise forms.ValidationError(str(error)) from error
        return data
