"""The synthetic pool, and what networks are trained on from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.training.pairs import Pair, build_pairs
from tests.inference.pool_factory import make_pool
from tests.inference.training_factory import REALISED, silent


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pool(tmp_path_factory.mktemp("pool"))


@pytest.fixture(scope="module")
def pairs(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    return build_pairs(pool, tmp_path_factory.mktemp("cache"), REALISED, silent)[0]
