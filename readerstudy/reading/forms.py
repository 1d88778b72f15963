"""What readers fill in around their sessions: consent, record, display check, signature, method guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allauth.core import ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.forms import ReauthenticateWebAuthnForm
from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from readerstudy.accounts.views import SignedInRequest
from readerstudy.reading.actions.guesses import DONT_KNOW, LONGEST_REASON, Guess
from readerstudy.reading.display_check import NONE_SEEN, SCREEN, STEPS, Surroundings
from readerstudy.reading.guessing import GuessItem
from readerstudy.reading.records import BOARD, NUMBERS, TEXTS

MEANING = gettext_noop("I scored these images myself and stand by these scores.")
TOO_MANY = _("Too many attempts: wait a few minutes, then try again.")
# What the page sends for "don't know", since an empty choice is one that was not made.
UNKNOWN = "don't know"


class ConsentForm(forms.Form):
    agreed = forms.BooleanField(
        label=_("I have read this text and take part in the study."),
        error_messages={"required": _("Tick the box if you agree; without it you can't read in this study.")},
    )


class RecordForm(forms.Form):
    """The questions of ``study.reader_record``, those that are asked."""

    years = forms.IntegerField(
        label=_("Years of experience in reading such images"), min_value=0, max_value=NUMBERS["years"],
        error_messages={"required": _("Write a whole number; 0 is one.")},
    )  # fmt: skip
    specialty = forms.CharField(
        label=_("Specialty"), max_length=TEXTS["specialty"], help_text=_("For example: musculoskeletal radiology."),
        error_messages={"required": _("Write your specialty.")},
    )  # fmt: skip
    board = forms.ChoiceField(
        label=_("Are you board-certified?"), widget=forms.RadioSelect,
        choices=list(zip(BOARD, (_("yes"), _("no"), _("in training")), strict=True)),
        error_messages={"required": _("Choose one.")},
    )  # fmt: skip
    cases_per_year = forms.IntegerField(
        label=_("Such examinations read per year"), min_value=0, max_value=NUMBERS["cases_per_year"],
        help_text=_("An estimate is enough."), error_messages={"required": _("Write a whole number; 0 is one.")},
    )  # fmt: skip
    conflicts = forms.CharField(
        label=_("Conflicts of interest"), max_length=TEXTS["conflicts"], widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What a reader of the results should know, such as work for a manufacturer; write “none” if none."),
        error_messages={"required": _("Write “none” if there are none.")},
    )  # fmt: skip

    def __init__(self, names: Sequence[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {name: self.fields[name] for name in names}


class DisplayCheckForm(forms.Form):
    """Where the squares are, what kind of place this is, and what the page's script measured."""

    check = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    remote_desktop = forms.ChoiceField(
        label=_("Do you look at this page through a remote desktop?"), widget=forms.RadioSelect,
        choices=[("no", _("no")), ("yes", _("yes")), ("unknown", _("I don't know"))],
    )  # fmt: skip
    ambient_light = forms.ChoiceField(
        label=_("How bright is the room?"), widget=forms.RadioSelect,
        choices=[
            ("dark", _("dark")), ("dimmed", _("dimmed")), ("office", _("office light")), ("bright", _("daylight")),
        ],
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        corners = [_("upper left"), _("upper right"), _("lower left"), _("lower right")]
        choices = [*((str(number), corner) for number, corner in enumerate(corners)), (str(NONE_SEEN), _("none seen"))]
        for step in range(len(STEPS)):
            self.fields[f"step_{step}"] = forms.ChoiceField(choices=choices, widget=forms.RadioSelect)
        for name in SCREEN:
            self.fields[f"screen_{name}"] = forms.CharField(required=False, widget=forms.HiddenInput)

    @property
    def steps(self) -> list[forms.BoundField]:
        return [self[f"step_{step}"] for step in range(len(STEPS))]

    @property
    def screen(self) -> list[forms.BoundField]:
        return [self[f"screen_{name}"] for name in SCREEN]

    @property
    def reported(self) -> list[int]:
        return [int(self.cleaned_data[f"step_{step}"]) for step in range(len(STEPS))]

    @property
    def surroundings(self) -> Surroundings:
        data = self.cleaned_data
        screen = {name: data[f"screen_{name}"] for name in SCREEN}
        return Surroundings(data["remote_desktop"], data["ambient_light"], screen)


class SignatureForm(forms.Form):
    """The printed name, the meaning of the signature, and the password or a passkey again."""

    printed_name = forms.CharField(label=_("Your name as it should be printed"), max_length=120)
    meaning = forms.BooleanField(label=_(MEANING), required=True)
    password = forms.CharField(
        label=_("Your password again"), required=False, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip
    credential = forms.CharField(required=False, max_length=8000, widget=forms.HiddenInput)

    def __init__(self, request: SignedInRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.user = request, request.user
        self.has_passkey: bool = is_mfa_enabled(self.user, types=[Authenticator.Type.WEBAUTHN])
        if not self.user.has_usable_password():
            del self.fields["password"]
        if not self.has_passkey:
            del self.fields["credential"]

    def clean(self) -> dict[str, Any]:
        """Exactly one proof that the person at the screen is the one who signed in."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        if data.get("credential"):
            self._check_passkey(data["credential"])
        elif "password" in self.fields:
            self._check_password(data["password"])
        elif self.has_passkey:
            self.add_error(None, _("Sign with your passkey."))
        else:
            self.add_error(None, _("Your account has neither a password nor a passkey: ask the administrator for one."))
        return data

    def _check_password(self, password: str) -> None:
        """Wrong passwords are counted as on the pages of the account."""
        if not password:
            self.add_error("password", _("Write your password to sign."))
        elif not ratelimit.consume(self.request, action="reauthenticate", user=self.user):
            self.add_error("password", TOO_MANY)
        elif not self.user.check_password(password):
            self.add_error("password", _("This is not your password: try again."))
        else:
            ratelimit.clear(self.request, action="reauthenticate", user=self.user)

    def _check_passkey(self, credential: str) -> None:
        """The answer of the person's passkey to the challenge of this page."""
        inner = ReauthenticateWebAuthnForm({"credential": credential}, user=self.user)
        try:
            accepted = inner.is_valid()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # what is no answer of a passkey
            accepted = False
        if accepted:
            inner.save()
        elif inner.has_error("credential", "too_many_login_attempts"):
            self.add_error(None, TOO_MANY)
        else:
            self.add_error(None, _("The passkey was not accepted: try again."))


class GuessForm(forms.Form):
    """A method, or "don't know", for every image of the draw; the only form that names methods."""

    def __init__(self, items: Sequence[GuessItem], arms: Mapping[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.items = items
        choices = [("", "---------"), *arms.items(), (UNKNOWN, _("don't know"))]
        for number in range(len(items)):
            self.fields[f"guess_{number}"] = forms.ChoiceField(
                label=_("Which method made this image?"), choices=choices,
                error_messages={"required": _("Choose a method, or that you don't know.")},
            )  # fmt: skip
            self.fields[f"reason_{number}"] = forms.CharField(
                label=_("Why? (optional)"), required=False, max_length=LONGEST_REASON,
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )  # fmt: skip

    @property
    def images(self) -> list[dict[str, forms.BoundField]]:
        return [{"guess": self[f"guess_{n}"], "reason": self[f"reason_{n}"]} for n in range(len(self.items))]

    @property
    def guesses(self) -> list[Guess]:
        data = self.cleaned_data
        return [
            Guess(
                item.presentation, item.pane, DONT_KNOW if data[f"guess_{n}"] == UNKNOWN else data[f"guess_{n}"],
                data[f"reason_{n}"],
            )
            for n, item in enumerate(self.items)
        ]  # fmt: skip
