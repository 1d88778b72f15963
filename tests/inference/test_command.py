"""The command line on .npy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.command import main
from tests.inference.pool_factory import grey


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "slices.npy"
    np.save(path, np.stack([200 * grey(s, (48, 50)) for s in (1, 2)]).astype(np.float32))
    return path


def test_degrade_and_reconstruct(stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    assert main(["degrade", str(stack), str(out), "--modality", "MR", "--level", "4"]) == 0
    degraded = np.load(out)
    assert degraded.shape == (2, 48, 50)
    arguments = ["reconstruct", str(stack), str(out), "--modality", "MR", "--level", "4", "--method"]
    assert main([*arguments, "degraded"]) == 0
    assert np.array_equal(np.load(out), degraded)
    assert main([*arguments, "tv_recon", "--settings", '{"iterations": 5}']) == 0
    assert not np.array_equal(np.load(out), degraded)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--method", "nothing"], "There is no method 'nothing'"),
        (["--method", "degraded", "--settings", "{"], "--settings is not JSON"),
        (["--method", "degraded", "--level", "500"], "acceleration of MR must be between"),
    ],
)
def test_errors_are_one_sentence(
    stack: Path, tmp_path: Path, extra: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reconstruct", str(stack), str(tmp_path / "o.npy"), "--modality", "MR", *extra]) == 2
    assert words in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["degrade", str(tmp_path / "no.npy"), str(tmp_path / "o.npy"), "--modality", "US"]) == 2
    assert "no.npy does not exist" in capsys.readouterr().err
