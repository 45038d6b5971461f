"""The code that transformers copies into its module cache: flat siblings, all named in koqas_pipeline.py.

Transformers before 5.11 copies of a folder only what the entry file itself imports; no version finds `from . import x`.
"""

import re

from conftest import ROOT

IMPORT = re.compile(r"^\s*from \.(\w+) import", re.MULTILINE)  # as transformers finds them
COMMAND_LINE = "koqas_demo"


def imported(name):
    return set(IMPORT.findall((ROOT / f"{name}.py").read_text("utf-8")))


def test_the_entry_file_names_every_sibling():
    siblings = {p.stem for p in ROOT.glob("koqas_*.py")} - {COMMAND_LINE, "koqas_pipeline"}
    assert imported("koqas_pipeline") == siblings


def test_siblings_import_only_siblings_and_not_in_a_circle():
    graph = {p.stem: imported(p.stem) for p in ROOT.glob("koqas_*.py")}
    while graph:
        leaves = {name for name, needed in graph.items() if not needed & set(graph)}
        assert leaves, f"a circle, or a file that is not there: {graph}"
        graph = {name: needed for name, needed in graph.items() if name not in leaves}
    for path in ROOT.glob("koqas_*.py"):
        assert not re.search(
            r"^\s*(from \. import|from \.\w+\.|import koqas)", path.read_text("utf-8"), re.MULTILINE
        ), path
