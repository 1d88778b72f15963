"""The report as a page and as a file."""

from __future__ import annotations

import base64
import hashlib
from uuid import UUID

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from readerstudy.accounts.views import SignedInRequest
from readerstudy.analytics.queries import unblinded_study
from readerstudy.analytics.report.build import STYLE, build_report

_HASH = base64.b64encode(hashlib.sha256(STYLE.read_bytes()).digest()).decode()
STYLE_POLICY = {"style-src": [SELF, f"'sha256-{_HASH}'"]}


@login_required
@require_GET
@csp_replace(STYLE_POLICY)  # type: ignore[arg-type]
def report(request: SignedInRequest, study: UUID) -> HttpResponse:
    """One HTML file with its style and figures inside; the policy allows this one style and nothing else."""
    found, snapshot = unblinded_study(request.user, study)
    response = HttpResponse(build_report(snapshot))
    if "download" in request.GET:
        response["Content-Disposition"] = f'attachment; filename="study-{str(found.pk)[:8]}-report.html"'
    response["Cache-Control"] = "private, no-store"
    return response
