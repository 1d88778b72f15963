"""What a person says about themselves once: name, address and password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password

from readerstudy.accounts.invitations import NewAccount
from readerstudy.accounts.models import User


class PasswordForm(forms.Form):
    """A new password, twice, by Django's validators."""

    password = forms.CharField(
        label="Password", max_length=200, strip=False, help_text="At least 12 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
    again = forms.CharField(
        label="The same password again", max_length=200, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def person(self) -> User:
        """Whose password it becomes: it may not resemble their name."""
        return User()

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        password = data.get("password")
        if password and data.get("again") not in (None, password):
            self.add_error("again", "The two passwords differ: write the same one twice.")
        if password:
            try:
                validate_password(password, self.person())
            except forms.ValidationError as error:
                self.add_error("password", error)
        return data


class AccountForm(PasswordForm):
    """The account of an invited person."""

    field_order = ["name", "email", "password", "again"]
    name = forms.CharField(label="Name", max_length=140, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(
        label="E-mail", max_length=150, help_text="You sign in with it.",
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )  # fmt: skip

    def __init__(self, *args: Any, address: str = "") -> None:
        super().__init__(*args)
        self.initial["email"] = address

    def account(self) -> NewAccount:
        data = self.cleaned_data
        return NewAccount(data["name"], data["email"], data["password"])

    def person(self) -> User:
        data = self.cleaned_data
        return NewAccount(data.get("name", ""), data.get("email", ""), "").as_user()
