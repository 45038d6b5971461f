"""Licences of everything installed are known, allowed, and written down."""

import pytest
from conftest import ROOT

from koqas.benchmarks.licences import Licensed, checked, installed, locked
from koqas.koqas_types import KoQasError


def test_the_page_lists_what_is_installed():
    text = (ROOT / "docs" / "licences.md").read_text("utf-8")
    packages = checked(installed())
    assert len(packages) > 0.8 * len(locked())
    missing = [p.name for p in packages if f"| {p.name} | {p.version} | {p.licence.replace('|', '/')} |" not in text]
    assert missing == [], "run python benchmarks/licences.py"


@pytest.mark.parametrize("licence", ["", "GNU Affero General Public License v3", "CC-BY-Noncommercial"])
def test_a_package_that_may_not_be_used_is_named(licence):
    with pytest.raises(KoQasError, match="somebody"):
        checked([Licensed("numpy", "2", "BSD-3-Clause"), Licensed("somebody", "1", licence)])
