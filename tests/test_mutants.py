"""The mutants of experiments/mutants fit today's code. `make mutants` runs them."""

from pathlib import Path

import pytest

from tests.scripts import EXPERIMENTS, load

ROOT = EXPERIMENTS.parent


def test_every_mutant_changes_the_code_and_names_tests_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    mutants = load("mutants/run.py", monkeypatch).read_mutants()
    assert len({mutant.name for mutant in mutants}) == len(mutants) >= 20
    for mutant in mutants:
        assert (ROOT / mutant.file).read_text().count(mutant.old) == 1, mutant.name
        assert mutant.new != mutant.old
        assert mutant.tests
        for test in mutant.tests:
            file, _, name = test.partition("::")
            assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text(), test


def test_a_mutant_is_killed_by_a_test_that_fails_and_survives_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load("mutants/run.py", monkeypatch)
    (tmp_path / "guarded.py").write_text("LIMIT = 1\n")
    imports = "from guarded import LIMIT\n\n\n"
    (tmp_path / "test_strict.py").write_text(f"{imports}def test_limit():\n    assert LIMIT == 1\n")
    (tmp_path / "test_lax.py").write_text(f"{imports}def test_limit():\n    assert LIMIT\n")
    mutant = run.Mutant("no limit", "guarded.py", "= 1", "= 2", ("test_strict.py",))
    assert mutant.apply(tmp_path) == "LIMIT = 1\n"
    codes = [run.run_tests(tmp_path, [test])[0] for test in ("test_lax.py", "test_strict.py")]
    assert codes == [run.PASSED, run.FAILED]
    with pytest.raises(ValueError, match="holds its old text 0 times"):
        mutant.apply(tmp_path)
