"""The role matrix: what every URL answers to every role. A URL without a row here fails a test.

The study is open: before unblinding nobody gets a number, a figure or a table.

Roles: stranger (signed in, no role), nobody (not signed in), reader, coordinator and analyst of the study,
administrator. ``302`` for nobody is the way to the sign-in page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ROLES = ("nobody", "stranger", "reader", "coordinator", "analyst", "administrator")


@dataclass(frozen=True)
class Row:
    """One URL: its name, the arguments to fill in, the verb, and a status per role (in the order of ROLES)."""

    name: str
    statuses: tuple[int, int, int, int, int, int]
    arguments: tuple[str, ...] = ()
    post: bool = False
    data: dict[str, Any] | None = None


COORDINATOR_ONLY = (302, 404, 404, 200, 404, 404)
STUDY_COORDINATOR = (302, 404, 404, 200, 404, 404)
ANALYST = (302, 404, 404, 200, 200, 404)
EVERYBODY = (200, 200, 200, 200, 200, 200)
SIGNED_IN = (302, 200, 200, 200, 200, 200)
POSTED = (302, 404, 404, 302, 404, 404)
# The study asks for neither consent nor display check: the pages lead on.
OWN_REDIRECT = (302, 404, 302, 404, 404, 404)
# Pages of results, where there are none yet.
UNBLINDED_PAGE = (302, 404, 404, 404, 404, 404)
# Numbers over the API, whose refusals are no way to the sign-in page.
UNBLINDED_ONLY = (401, 404, 404, 404, 404, 404)

ROWS = [
    Row("home", (302, 302, 302, 302, 302, 302)),
    Row("healthz", EVERYBODY),
    Row("readyz", EVERYBODY),
    # Without a token in the settings there is nothing here, for nobody.
    Row("metrics", (404, 404, 404, 404, 404, 404)),
    Row("language", (302, 302, 302, 302, 302, 302), post=True),
    Row("cases:list", COORDINATOR_ONLY),
    Row("cases:import_new", COORDINATOR_ONLY),
    Row("cases:upload_begin", (401, 404, 404, 400, 404, 404), post=True),
    Row("cases:upload", (401, 404, 404, 200, 404, 404), ("upload",)),
    Row("cases:upload_piece", (401, 404, 404, 415, 404, 404), ("upload", "one", "zero"), post=True),
    Row("cases:upload_finish", (401, 404, 404, 409, 404, 404), ("upload",), post=True),
    Row("cases:upload_give_up", (401, 404, 404, 200, 404, 404), ("upload",), post=True),
    Row("cases:imports", COORDINATOR_ONLY),
    Row("cases:import", COORDINATOR_ONLY, ("batch",)),
    Row("cases:sources", COORDINATOR_ONLY),
    Row("cases:source_new", COORDINATOR_ONLY),
    Row("cases:source", COORDINATOR_ONLY, ("source",)),
    Row("cases:quarantine", COORDINATOR_ONLY),
    Row("cases:review_next", POSTED, post=True),
    Row("cases:review", COORDINATOR_ONLY, ("waiting",)),
    Row("cases:review_look", POSTED, ("waiting",), post=True),
    Row("cases:review_withdraw", POSTED, ("waiting",), post=True),
    Row("cases:detail", COORDINATOR_ONLY, ("case",)),
    # The study uses the case, so that nothing of it can be edited any more.
    Row("cases:edit", POSTED, ("case",)),
    Row("cases:look", POSTED, ("case",), post=True),
    Row("cases:release", (302, 404, 404, 302, 404, 404), ("case",), post=True),
    Row("cases:withdraw", (302, 404, 404, 302, 404, 404), ("case",), post=True),
    Row("cases:thumbnail", COORDINATOR_ONLY, ("case", "zero")),
    Row("cases:preview", COORDINATOR_ONLY, ("case", "zero")),
    Row("cases:image", COORDINATOR_ONLY, ("case", "zero")),
    Row("reconstructions:list", COORDINATOR_ONLY),
    Row("reconstructions:live", COORDINATOR_ONLY),
    Row("reconstructions:rows", COORDINATOR_ONLY),
    Row("reconstructions:new", COORDINATOR_ONLY),
    Row("reconstructions:new_cases", COORDINATOR_ONLY, post=True),
    Row("reconstructions:new_estimate", COORDINATOR_ONLY, post=True),
    Row("reconstructions:retry_failed", POSTED, post=True),
    Row("reconstructions:metrics", COORDINATOR_ONLY),
    # No pixel before the comparison is opened; the row that opens it stands after them.
    Row("reconstructions:pixels", (302, 404, 404, 409, 404, 404), ("reconstruction",)),
    Row("reconstructions:uncertainty", (302, 404, 404, 409, 404, 404), ("uncertain",)),
    Row("reconstructions:reference_pixels", (302, 404, 404, 409, 404, 404), ("slice_pk",)),
    Row("reconstructions:compare", COORDINATOR_ONLY, ("case",)),
    Row("reconstructions:open_comparison", POSTED, ("case",), post=True),
    Row("reconstructions:exports", COORDINATOR_ONLY),
    Row("reconstructions:export", COORDINATOR_ONLY, ("export",)),
    Row("reconstructions:retry_export", POSTED, ("export",), post=True),
    Row("reconstructions:import", COORDINATOR_ONLY),
    Row("reconstructions:detail", COORDINATOR_ONLY, ("run",)),
    Row("reconstructions:retry", POSTED, ("run",), post=True),
    Row("reconstructions:cancel", POSTED, ("run",), post=True),
    Row("studies:list", SIGNED_IN),
    Row("studies:new", COORDINATOR_ONLY),
    Row("studies:plan", COORDINATOR_ONLY),
    Row("studies:plan_curve", COORDINATOR_ONLY),
    Row("studies:print", STUDY_COORDINATOR, ("study",)),
    Row("studies:copy", POSTED, ("study",), post=True),
    Row("studies:preview", STUDY_COORDINATOR, ("study",)),
    Row("studies:preview_frame", STUDY_COORDINATOR, ("study", "zero", "zero", "zero")),
    Row("studies:preview_answers", STUDY_COORDINATOR, ("study",), post=True),
    Row("conduct:study", (302, 404, 404, 200, 302, 404), ("study",)),
    Row("conduct:monitor", STUDY_COORDINATOR, ("study",)),
    Row("conduct:protocol", STUDY_COORDINATOR, ("study",)),
    Row("conduct:balance", STUDY_COORDINATOR, ("study",)),
    Row("conduct:people", STUDY_COORDINATOR, ("study",)),
    Row("conduct:invite", (302, 404, 404, 200, 404, 404), ("study",), post=True, data={"role": "analyst"}),
    Row("conduct:revoke", POSTED, ("study", "invitation_pk"), post=True),
    Row("conduct:reader", STUDY_COORDINATOR, ("study", "one")),
    Row("conduct:withdraw", POSTED, ("study", "one"), post=True),
    Row("conduct:replace", (302, 404, 404, 200, 404, 404), ("study", "one"), post=True),
    Row("conduct:amendments", STUDY_COORDINATOR, ("study",)),
    Row("conduct:extend", STUDY_COORDINATOR, ("study",)),
    Row("conduct:look", POSTED, ("study",), post=True),
    Row("invitation", EVERYBODY, ("invitation",)),
    Row("people:reset", (302, 404, 404, 404, 404, 200), ("handle",)),
    Row("people:new_password", EVERYBODY, ("reset",)),
    Row("conduct:members", POSTED, ("study",), post=True),
    Row("conduct:pause", POSTED, ("study",), post=True),
    Row("conduct:waive", POSTED, ("study", "session_pk"), post=True),
    Row("conduct:transition", POSTED, ("study", "open_verb"), post=True),
    Row("analytics:results", ANALYST, ("study",)),
    Row("analytics:compute", (302, 404, 404, 409, 409, 404), ("study",), post=True),
    Row("analytics:status", ANALYST, ("study",)),
    Row("analytics:figure", (302, 404, 404, 404, 404, 404), ("study", "figure", "svg")),
    Row("analytics:export", (302, 404, 404, 404, 404, 404), ("study",)),
    Row("analytics:deposit", (302, 404, 404, 404, 404, 404), ("study",)),
    Row("analytics:statistics", (302, 404, 404, 404, 404, 404), ("study",)),
    Row("analytics:table", UNBLINDED_PAGE, ("study", "table")),
    Row("analytics:report", UNBLINDED_PAGE, ("study",)),
    Row("analytics:panels", UNBLINDED_PAGE, ("study",)),
    Row("analytics:panel_figure", UNBLINDED_PAGE, ("study", "svg")),
    Row("analytics:number", UNBLINDED_PAGE, ("study",)),
    Row("analytics:open_images", UNBLINDED_PAGE, ("study",), post=True),
    Row("analytics:slice", UNBLINDED_PAGE, ("study", "slice_name")),
    Row("analytics:thumbnail", UNBLINDED_PAGE, ("study", "slice_name", "arm")),
    Row("analytics:pixels", UNBLINDED_PAGE, ("study", "slice_name", "arm")),
    Row("analytics:review_links", UNBLINDED_PAGE, ("study",)),
    Row("analytics:revoke_link", UNBLINDED_PAGE, ("study", "one"), post=True),
    Row("review:report", (404, 404, 404, 404, 404, 404), ("image",)),
    Row("review:export", (404, 404, 404, 404, 404, 404), ("image",)),
    Row("tokens:list", (302, 404, 404, 200, 200, 404)),
    # Whoever may make a token is first asked for the password again.
    Row("tokens:new", (302, 404, 404, 302, 302, 404)),
    Row("tokens:revoke", (302, 404, 404, 302, 404, 404), ("token_pk",), post=True),
    Row("api:docs", (302, 404, 404, 200, 200, 404)),
    Row("api:schema", (401, 200, 200, 200, 200, 200)),
    Row("api:studies", (401, 200, 200, 200, 200, 200)),
    Row("api:study", (401, 404, 404, 200, 200, 404), ("study",)),
    Row("api:statistics", UNBLINDED_ONLY, ("study",)),
    Row("api:scores", UNBLINDED_ONLY, ("study",)),
    Row("api:pairs", UNBLINDED_ONLY, ("study",)),
    Row("api:metrics", UNBLINDED_ONLY, ("study",)),
    Row("api:annotations", UNBLINDED_ONLY, ("study",)),
    Row("api:figure", UNBLINDED_ONLY, ("study", "figure", "svg")),
    Row("api:export", UNBLINDED_ONLY, ("study",)),
    Row("api:nothing", (404, 404, 404, 404, 404, 404), ("nothing",)),
    Row("reading:worklist", SIGNED_IN),
    Row("reading:csrf", EVERYBODY),
    Row("reading:answers", (401, 404, 200, 404, 404, 404), post=True, data={}),
    Row("reading:frame", (401, 404, 200, 404, 404, 404), ("presentation", "zero", "zero")),
    Row("reading:room", (302, 404, 200, 404, 404, 404), ("session",)),
    Row("reading:finish", (302, 404, 200, 404, 404, 404), ("session",)),
    Row("reading:compare", (302, 404, 423, 404, 404, 404), ("session",), post=True),
    Row("reading:consent", OWN_REDIRECT, ("schedule",)),
    Row("reading:record", OWN_REDIRECT, ("schedule",)),
    Row("reading:practice", (302, 404, 200, 404, 404, 404), ("schedule",)),
    Row("reading:practice_frame", (401, 404, 404, 404, 404, 404), ("image",)),
    Row("reading:practice_answers", (401, 400, 400, 400, 400, 400), post=True, data={}),
    Row("reading:check", OWN_REDIRECT, ("session",)),
    Row("reading:check_step", (302, 404, 404, 404, 404, 404), ("session", "zero")),
    Row("reading:guess", (302, 404, 404, 404, 404, 404), ("schedule",)),
]

# Pages of django-allauth and of the administrator's site, whose permissions are theirs.
FOREIGN = ("account_", "mfa_", "admin:", "socialaccount_", "openid_connect_")
