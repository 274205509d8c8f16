"""Names come from the field: none of the private words of earlier versions comes back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
RETIRED = set(
    """told told_places look looks LOOK LOOKS Look Palette palette Planner planner Foresight ahead reach unlabelled
    spread blur how chance chances thin deal dealt draws continued origin Seen Ladder ladder charged resemblance usual
    asked made found held seen given known shown place places rest colour colours""".split()
)


def identifiers(path: Path) -> Iterator[str]:
    """Yield every name in a Python file: of variables, arguments, attributes, functions, classes and imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        for field in ("id", "arg", "attr", "name", "asname"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield name


def test_no_retired_word_is_an_identifier() -> None:
    files = [path for folder in ("trajvq", "experiments", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 200
    uses = [(path.name, name) for path in files for name in identifiers(path) if name in RETIRED]
    assert [use for use in uses if use != (use[0], "given") or not use[0].startswith("test_")] == []  # hypothesis.given


def test_no_retired_word_is_a_config_key_or_a_file_name() -> None:
    keys = {
        key for path in (ROOT / "configs").rglob("*.yaml") for key in re.findall(r"^\s*(\w+):", path.read_text(), re.M)
    }
    assert "temperature" in keys
    assert keys & RETIRED == set()
    assert {path.stem for path in (ROOT / "trajvq").rglob("*.py")} & RETIRED == set()


def test_color_has_one_spelling() -> None:
    texts = [
        path
        for folder in ("trajvq", "docs", "configs", "experiments", "notebooks")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in {".py", ".md", ".yaml", ".ipynb", ".html", ".js"}
    ]
    assert [path.name for path in [*texts, ROOT / "README.md"] if re.search("colour", path.read_text(), re.I)] == []
