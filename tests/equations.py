"""Evaluate the equation of a clip."""

import re

import numpy as np


def evaluate(equation: str, time: np.ndarray) -> np.ndarray:
    """Return positions ``(T, 3)`` from the text ``x(t) = ...; y(t) = ...; z(t) = ...`` and times ``(T,)``."""
    axes = []
    for part, axis in zip(equation.split("; "), "xyz", strict=True):
        name, right = part.split(" = ")
        assert name == f"{axis}(t)"
        assert re.fullmatch(r"[-+*^. 0-9tcosin()]+", right), right
        functions = {"t": time, "cos": np.cos, "sin": np.sin, "__builtins__": {}}
        axes.append(np.broadcast_to(eval(right.replace("^", "**"), functions), time.shape))
    return np.stack(axes, axis=-1)
