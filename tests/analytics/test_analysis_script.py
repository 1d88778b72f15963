"""The R script of an export: the same numbers in another language, where R is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from readerstudy.analytics.compute import compute, document_text
from readerstudy.analytics.exports import SCRIPT, tables
from readerstudy.analytics.inputs import inputs_of
from tests.analytics.conftest import Exported
from tests.analytics.test_exports import unpacked

RSCRIPT = shutil.which("Rscript")
SKIPPED = re.compile(r"Skipped: the package (\w+) is not installed")


def run(folder: Path) -> str:
    done = subprocess.run([str(RSCRIPT), str(SCRIPT), str(folder)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    if "jsonlite" in SKIPPED.findall(done.stdout):
        pytest.skip("R has no jsonlite here, so that there is nothing to compare with")
    return done.stdout


def test_says_how_every_block_is_named() -> None:
    text = SCRIPT.read_text()
    for package in ("lme4", "ordinal", "psych", "irr", "MRMCaov", "jsonlite"):
        assert f'missing_package("{package}")' in text


@pytest.mark.skipif(RSCRIPT is None, reason="R is not installed")
@pytest.mark.slow
def test_every_number_agrees_with_the_export(archive: Path) -> None:
    output = run(unpacked(archive))
    assert "SIMULATED READERS" in output and "Not computed" not in output and "DIFFERS" not in output
    agreed = re.search(r"(\d+) of (\d+) numbers agree", output)
    assert agreed and agreed[1] == agreed[2]
    for package, number in (("psych", "ICC(2,1), tv_recon"), ("ordinal", "clmm_crossed, log odds, pix2pix")):
        assert number in output or package in SKIPPED.findall(output)
    assert "difference, pix2pix - tv_recon" in output


@pytest.mark.skipif(RSCRIPT is None, reason="R is not installed")
@pytest.mark.slow
def test_gaps_are_handled_as_the_plan_says(exported: Exported, tmp_path: Path) -> None:
    inputs = inputs_of(exported.statistics, exported.tables)
    plan = inputs.facts.plan | {"cannot_judge": "worst score", "missing": "complete slices"}
    inputs = replace(inputs, facts=replace(inputs.facts, plan=plan))
    document = compute(inputs, mixed_models=False)
    (tmp_path / "scores.csv").write_text(tables(inputs)["scores.csv"])
    (tmp_path / "statistics.json").write_text(document_text(document))
    output = run(tmp_path)
    mean = document["arms"]["tv_recon"]["opinion"]["mean_score"]["value"]
    assert f"{mean:.6f}" in output and "DIFFERS" not in output
    assert document["arms"]["tv_recon"]["n_slices"] == 11
    # With every image read by everyone, lme4's differences are those of the means.
    assert "lme4, difference from the first arm, pix2pix" in output or "lme4" in SKIPPED.findall(output)
