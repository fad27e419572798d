"""The table of known classes in the documents names every test of them, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE.parents[2] / "docs" / "security.md"


def test_the_documents_name_each_test_of_a_known_class() -> None:
    written = {
        node.name
        for file in HERE.glob("test_*.py")
        if file != Path(__file__)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    said = set(re.findall(r"`(test_\w+)`", TABLE.read_text().partition("## Known classes")[2]))
    assert said == written
