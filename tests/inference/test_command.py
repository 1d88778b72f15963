"""The command line on .npy files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.command import main
from inference.methods.degraded import Degraded
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


def test_several_samples_have_a_map_of_their_standard_deviation_beside_them(stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    arguments = ["reconstruct", str(stack), str(out), "--modality", "US", "--method", "diffusion_unet", "--settings"]
    assert main([*arguments, '{"steps": 2}']) == 0
    assert not (tmp_path / "out-standard-deviation.npy").exists()
    assert main([*arguments, '{"steps": 2, "samples": 3}']) == 0
    deviation = np.load(tmp_path / "out-standard-deviation.npy")
    assert deviation.shape == np.load(out).shape == (2, 48, 50)
    assert (deviation >= 0).all() and deviation.mean() > 0.1


def test_only_a_method_that_needs_the_reference_gets_it(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[bool] = []

    def note(self: Degraded, measurements: Any, seeds: Any) -> Any:
        given.extend(m.reference is not None for m in measurements)
        return [m.degraded for m in measurements]

    monkeypatch.setattr(Degraded, "reconstruct", note)
    arguments = ["reconstruct", str(stack), str(tmp_path / "out.npy"), "--modality", "MR", "--method"]
    assert main([*arguments, "degraded"]) == 0 and given == [False, False]
    assert main([*arguments, "reference"]) == 0
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.load(stack))


def test_a_missing_package_is_told(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "volume.h5").write_bytes(b"anything")
    assert main(["benchmark", "--cases", str(tmp_path), "--out", str(tmp_path / "out"), "--tables", "3"]) == 2
    assert "pip install 'readerstudy[fastmri]'" in capsys.readouterr().err


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
