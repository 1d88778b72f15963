"""The page on which a protocol is written: a form and a TOML file that say the same thing, and what they come to.

The page works without a script: every act is a submit button named ``act``. htmx asks for the outlook alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from readerstudy.accounts.views import SignedInRequest
from readerstudy.reconstructions.models import Run
from readerstudy.studies import fields, outlook
from readerstudy.studies.actions import StudyError, require_savable
from readerstudy.studies.presets import PRESETS
from readerstudy.studies.protocol import Protocol, ProtocolError, from_data, read_toml
from readerstudy.studies.toml import write_data, write_toml

LARGEST_PROTOCOL = 200_000
FORM, TEXT = "form", "text"
Save = Callable[[Protocol], HttpResponse]


@dataclass(frozen=True)
class Desk:
    """What stands on the page: on the form's tab its inputs, on the other the text."""

    tab: str
    values: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    seconds: int = outlook.SECONDS
    focus: str = ""

    def protocol(self) -> Protocol:
        """What it says; raises ``ProtocolError``."""
        protocol = from_data(fields.data_of(self.values)) if self.tab == FORM else read_toml(self.text)
        require_savable(protocol)
        return protocol


def of_protocol(protocol: Protocol, tab: str = FORM) -> Desk:
    """The page as it opens."""
    if tab == TEXT:
        return Desk(TEXT, text=write_toml(protocol))
    return Desk(FORM, fields.values_of({**protocol.as_data(), "plan": protocol.plan_as_data()}))


def protocol_page(
    request: SignedInRequest, start: Callable[[], Protocol], save: Save, template: str, context: Mapping[str, Any]
) -> HttpResponse:
    """Show the desk, do the act that was pressed, or save; ``start`` gives the protocol to begin with."""
    if request.method != "POST":
        return _show(request, of_protocol(start(), request.GET.get("tab", FORM)), template, context)
    try:
        desk = _posted(request)
        act = request.POST.get("act", "save")
        if act == "save":
            try:
                return save(desk.protocol())
            except StudyError as error:
                return _show(request, desk, template, context, ProtocolError(str(error)))
        desk = _act(desk, act)
    except ProtocolError as error:
        return _show(request, _as_posted(request), template, context, error)
    if act == "preview" and request.headers.get("HX-Request") == "true":
        return render(request, "studies/_outlook.html", _outlook(desk))
    return _show(request, desk, template, context)


def _as_posted(request: SignedInRequest) -> Desk:
    """What was sent, unread: shown again with what is wrong with it."""
    tab = TEXT if request.POST.get("tab") == TEXT else FORM
    values = {name: text for name, text in request.POST.items() if isinstance(text, str) and "." in name}
    return Desk(tab, values, request.POST.get("text", "").replace("\r\n", "\n"), _seconds(request.POST.get("seconds")))


def _posted(request: SignedInRequest) -> Desk:
    """What was sent, an uploaded file in place of the text; raises ``ProtocolError``."""
    desk, upload = _as_posted(request), request.FILES.get("file")
    if upload is None or desk.tab != TEXT:
        if len(desk.text) > LARGEST_PROTOCOL:
            raise ProtocolError("The text is too long for a protocol: shorten it.")
        return desk
    if (upload.size or 0) > LARGEST_PROTOCOL:
        raise ProtocolError("The file is too large for a protocol: choose the TOML file.")
    try:
        return replace(desk, text=upload.read().decode())
    except UnicodeDecodeError as error:
        raise ProtocolError("The file is not text in UTF-8: choose the TOML file.") from error


def _seconds(text: str | None) -> int:
    return min(600, max(1, int(text))) if text and text.isascii() and text.isdigit() else outlook.SECONDS


def _act(desk: Desk, act: str) -> Desk:
    """The desk after a button: the other tab, a row more or less; raises ``ProtocolError``."""
    verb, _, rest = act.partition(":")
    if verb == TEXT and desk.tab == FORM:
        return replace(desk, tab=TEXT, text=write_data(fields.data_of(desk.values)))
    if verb == FORM and desk.tab == TEXT:
        return replace(of_protocol(read_toml(desk.text)), seconds=desk.seconds)
    if verb == "add" and rest in fields.LISTS:
        values = fields.with_row(desk.values, rest)
        return replace(desk, values=values, focus=f"{rest}.{fields.rows_of(values, rest)[-1]}.key")
    section, _, number = rest.partition(":")
    if verb == "remove" and section in fields.LISTS and number.isdecimal():
        return replace(desk, values=fields.without_row(desk.values, section, int(number)))
    return desk


def _outlook(desk: Desk) -> dict[str, Any]:
    """The outlook of what stands there, or what is wrong and at which input."""
    try:
        return {"outlook": outlook.outlook(desk.protocol(), desk.seconds), "seconds": desk.seconds}
    except ProtocolError as error:
        return {"problem": str(error), "at": fields.input_name(error.key), "seconds": desk.seconds}


def _show(
    request: SignedInRequest, desk: Desk, template: str, context: Mapping[str, Any], error: ProtocolError | None = None
) -> HttpResponse:
    wrong = (error.key, str(error)) if error else ("", "")
    shown: dict[str, Any] = {
        "desk": desk, "error": str(error) if error else "", "presets": PRESETS, **_outlook(desk), **context,
    }  # fmt: skip
    if desk.tab == FORM:
        parts = fields.form_parts(desk.values, wrong, desk.focus)
        shown |= {"parts": parts, "error_id": _place(parts), "suggestions": _suggestions(desk)}
    return render(request, template, shown)


def _place(parts: list[fields.FormPart]) -> str:
    """The id of what carries the error, so that the notice above can lead there; empty where nothing does."""
    for part in parts:
        if part.error:
            return f"part-{part.key}"
        for control in [*part.inputs, *(one for row in part.rows for one in row.inputs)]:
            if control.error:
                return control.id
            if isinstance(control, fields.Group) and (inside := next((i for i in control.inputs if i.error), None)):
                return inside.id
    return ""


def _suggestions(desk: Desk) -> dict[str, list[str]]:
    known = {arm.method for one in PRESETS for arm in one.protocol().arms}
    known |= set(Run.objects.order_by().values_list("method", flat=True).distinct())
    keys = {
        name: [desk.values.get(f"{section}.{n}.key", "") for n in fields.rows_of(desk.values, section)]
        for name, section in (("arm-keys", "arms"), ("criterion-keys", "criteria"))
    }
    return {"methods": sorted(known), **keys}
