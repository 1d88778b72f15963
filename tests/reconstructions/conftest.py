"""What the tests of runs share."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import make_user


@pytest.fixture
def coordinator(client: Client) -> Client:
    client.force_login(make_user(may_coordinate=True))
    return client
