"""The signature under a session."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from readerstudy.accounts.models import User

MEANING = "I scored these images myself and stand by these scores."


class SignatureForm(forms.Form):
    """The password again, the printed name, and the meaning of the signature."""

    printed_name = forms.CharField(label=_("Your name as it should be printed"), max_length=120)
    password = forms.CharField(
        label=_("Your password again"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    meaning = forms.BooleanField(label=_(MEANING), required=True)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This is not your password: try again."))
        return password
