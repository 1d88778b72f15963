"""Row 11: whatever is asked of the API, by whomever: no answer of 5xx, and none that its schema does not describe."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bench.load.paced import Place
from bench.load.site import site
from bench.report import Figure
from bench.room.world import say

CHECKS: Any = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
EXAMPLES, EXAMPLES_IN_FULL = 6, 50
PATIENCE = 60.0  # seconds for one answer


@dataclass
class Found:
    statuses: Counter[int] = field(default_factory=Counter)
    errors: int = 0
    breaches: list[str] = field(default_factory=list)


def every_operation(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """Every operation as every role, by session and by token, on a study with numbers and on one without."""
    found, reached = Found(), {}
    with site(folder / "data", place.database, place.broker) as here:
        made = here.ask("api")
        here.up("--no-worker")
        url = here.url()
        document = requests.get(
            f"{url}/api/schema/?format=json", headers=made["headers"]["analyst"], timeout=PATIENCE
        ).json()
        # Nobody comes last: invented tokens close the API to this address for a while.
        for role, headers in reversed(made["headers"].items()):
            before = found.statuses.copy()
            _try_all(url, document, made["studies"], headers, EXAMPLES_IN_FULL if full else EXAMPLES, found)
            reached[role] = dict(found.statuses - before)
            say(f"{role}: {reached[role]}")
    for sentence in found.breaches:
        say(f"breach: {sentence}")
    # Who may see numbers must have seen some, and nobody else: else nothing was tried.
    assert 200 in reached["analyst"] and 200 not in reached["nobody"], reached
    return {
        "f11_http_5xx": Figure(found.errors, "answers"),
        "f11_schema_breaches": Figure(len(found.breaches), "answers"),
        "f11_requests": Figure(found.statuses.total(), "requests"),
    }


def _try_all(
    url: str, document: dict[str, Any], studies: list[str], headers: dict[str, str], examples: int, found: Found
) -> None:
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation: Any = result

        @given(case=operation.ok().as_strategy())
        @settings(
            max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def check(case: Any) -> None:
            if "study" in case.path_parameters:
                # Half of them are asked of the study with numbers, a quarter of the open one.
                choice = int(str(case.path_parameters["study"])[-1], 16)
                if choice < 12:
                    case.path_parameters["study"] = studies[choice >= 8]
            if headers:
                # Only nobody comes with invented credentials.
                case.headers.pop("Authorization", None)
                case.cookies.clear()
            if sum(map(len, case.query)) % 2:
                case.query = {}  # most invented parameters are refused: what is asked without them is answered
            _ask(url, case, headers, found)

        check()


def _ask(url: str, case: Any, headers: dict[str, str], found: Found) -> None:
    try:
        response = case.call(base_url=url, headers=headers, timeout=PATIENCE)
    except requests.RequestException as error:
        found.errors += 1
        found.breaches.append(f"{case.method} {case.formatted_path}: {error}")
        return
    found.statuses[response.status_code] += 1
    found.errors += response.status_code >= 500
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as group:
        path = urlsplit(response.request.url).path
        reasons = "; ".join(f"{failure.title}: {failure.message[:200]}" for failure in group.exceptions)
        found.breaches.append(f"{case.method} {path} {response.status_code}: {reasons}")
