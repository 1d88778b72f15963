"""A protocol as the TOML file it is."""

from __future__ import annotations

from django import forms

from readerstudy.studies import protocol

LARGEST_PROTOCOL = 200_000


class ProtocolForm(forms.Form):
    """Paste a protocol or upload it; what is wrong is said in one sentence naming the key."""

    text = forms.CharField(
        label="Protocol (TOML)", required=False, max_length=LARGEST_PROTOCOL,
        widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "false", "class": "code"}),
    )  # fmt: skip
    file = forms.FileField(label="or a protocol file", required=False)

    def clean(self) -> dict[str, object]:
        data: dict[str, object] = super().clean() or {}
        upload = self.cleaned_data.get("file")
        text = self.cleaned_data.get("text") or ""
        if upload is not None:
            if upload.size > LARGEST_PROTOCOL:
                raise forms.ValidationError("The file is too large for a protocol: choose the TOML file.")
            try:
                text = upload.read().decode()
            except UnicodeDecodeError as error:
                raise forms.ValidationError("The file is not text in UTF-8: choose the TOML file.") from error
        try:
            data["protocol"] = protocol.read_toml(text)
        except protocol.ProtocolError as error:
            raise forms.ValidationError(str(error)) from error
        return data
