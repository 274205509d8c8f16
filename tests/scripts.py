"""Load the scripts of experiments/, which are no package, as modules."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def load(path: str, patch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module of a script, whose folder is on the import path as long as the patch lasts.

    Args:
        path: Relative to ``experiments``.
        patch: Undone by pytest.
    """
    script = EXPERIMENTS / path
    patch.syspath_prepend(str(script.parent))
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, script.stem, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
