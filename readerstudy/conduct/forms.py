"""Bring a person into a study."""

from __future__ import annotations

from django import forms

from readerstudy.accounts.models import User
from readerstudy.studies.models import Membership


class MemberForm(forms.Form):
    """A person by the name they sign in with, and their role."""

    username = forms.CharField(label="Signs in as", max_length=150)
    role = forms.ChoiceField(label="Role", choices=Membership.Role.choices)

    def clean_username(self) -> User:
        user = User.objects.filter(username=self.cleaned_data["username"], is_active=True).first()
        if user is None:
            raise forms.ValidationError("Nobody signs in under this name: ask the administrator to add the person.")
        return user


class ReasonForm(forms.Form):
    reason = forms.CharField(label="Reason", max_length=400)
