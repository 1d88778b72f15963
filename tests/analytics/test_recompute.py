"""``python -m readerstudy.analytics recompute``: same digits without Django; the first difference is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from readerstudy.analytics.__main__ import main
from readerstudy.analytics.exports import checksums
from readerstudy.analytics.lines import InputError, ScoreLine, from_csv
from readerstudy.analytics.recompute import differences, recompute, same

ROOT = Path(__file__).parents[2]


def test_recomputes_in_a_process_without_django(archive: Path) -> None:
    # A Django that can't be imported proves that none is needed.
    trap = archive.parent / "trap" / "django"
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("raise ImportError('Django was imported')\n")
    environment = {**os.environ, "PYTHONPATH": f"{trap.parent}{os.pathsep}{ROOT}", "DJANGO_SETTINGS_MODULE": "none"}
    run = subprocess.run(
        [sys.executable, "-m", "readerstudy.analytics", "recompute", str(archive)],
        capture_output=True, text=True, env=environment, cwd=archive.parent,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    exported = statistics_of(archive)
    mean = exported["arms"]["tv_recon"]["opinion"]["mean_score"]["value"]
    assert f"{mean:.10g}" in run.stdout and "SIMULATED READERS" in run.stdout
    assert "numbers are as exported" in run.stdout


def test_recomputed_document_is_the_exported_one(archive: Path) -> None:
    made = recompute(archive)
    assert made.difference is None and made.document == statistics_of(archive) and made.numbers > 500


def test_first_difference_is_named(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = statistics_of(archive)
    document["arms"]["pix2pix"]["opinion"]["mean_score"]["value"] += 1e-8
    document["arms"]["restormer"]["opinion"]["mean_score"]["value"] += 1e-8
    rewrite(archive, {"statistics.json": json.dumps(document).encode()})
    assert main(["recompute", str(archive)]) == 1
    assert "The first difference is arms.pix2pix.opinion.mean_score.value" in capsys.readouterr().err


def test_changed_scores_are_noticed_with_and_without_checksums(archive: Path) -> None:
    text = files_of(archive)["scores.csv"].decode()
    row = next(line for line in text.splitlines() if ",R2,4," in line or ",R2,3," in line)
    changed = text.replace(row, row.replace(",R2,4,", ",R2,1,").replace(",R2,3,", ",R2,1,"), 1).encode()
    rewrite(archive, {"scores.csv": changed}, honest=False)
    with pytest.raises(InputError, match=r"scores\.csv was changed after the export"):
        recompute(archive)
    rewrite(archive, {"scores.csv": changed})
    assert recompute(archive).difference is not None


def test_damaged_files_get_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(b"no zip")
    assert main(["recompute", str(path)]) == 1
    assert "broken.zip can't be read as a zip file" in capsys.readouterr().err
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    assert main(["recompute", str(path)]) == 1
    assert "it is not an export of a study" in capsys.readouterr().err
    with pytest.raises(InputError, match="the column slice is missing"):
        from_csv(ScoreLine, "arm\na\n", "scores.csv")


def test_digits_that_count() -> None:
    assert same(1.00000000001, 1.0, 10) and not same(1.00000001, 1.0, 10) and same(1.00000001, 1.0, 5)
    assert same(0.0, 1e-17, 10) and not same(0.0, 1e-3, 10) and not same(True, 1, 10)
    assert not same(None, 0.0, 10) and same(None, None, 10)
    found = list(differences({"a": [1, {"b": 2}], "c": 1}, {"a": [1, {"b": 3}], "d": 1}))
    assert [item.path for item in found] == ["a.1.b", "c", "d"]
    assert not list(differences({"omnibus": {"clmm": {"x": 1.000001}}}, {"omnibus": {"clmm": {"x": 1.0}}}))
    assert list(differences({"x": 1.000001}, {"x": 1.0}))


def files_of(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as content:
        return {name: content.read(name) for name in content.namelist()}


def statistics_of(archive: Path) -> dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]]:
    loaded: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]]
    loaded = json.loads(files_of(archive)["statistics.json"])
    return loaded


def rewrite(archive: Path, changes: dict[str, bytes], *, honest: bool = True) -> None:
    """The archive with other files in it; an honest one has checksums that fit."""
    files = {**files_of(archive), **changes}
    if honest:
        del files["CHECKSUMS.sha256"]
        files["CHECKSUMS.sha256"] = checksums(files).encode()
    with zipfile.ZipFile(archive, "w") as content:
        for name, data in files.items():
            content.writestr(name, data)
