"""Old names in configs and checkpoints, and the names that replaced them.

To rename an option or a class, add it to `OPTIONS` or `CLASSES`. Configs, command lines and checkpoints that still use
the old name then fail with one line that says the new one. An option that no longer takes the values it took goes into
`VALUES`: configs and command lines with an old value then fail with one line that says what to write.
"""

from collections.abc import Iterator, Mapping
from typing import Any

PACKAGE = "trajvq."
# By class: each old option and its new one, as a key relative to the class or, with `model.`, to the config.
OPTIONS: dict[str, dict[str, str]] = {
    "BalancedLoss": {"drawn": "reconstruction_threshold"},
    "CausalTokenizer": {"thin": "frame_channels", "hidden": "patch_channels", "reach": "receptive_field"},
    "Classify": {"places_weight": "tracks_weight"},
    "ClipSymmetries": {"turns": "symmetries", "reverse": "symmetries", "colors": "symmetries"},
    "Forecast": {"spread": "noise_scale", "blur": "path_noise_std", "rest": "network.tokens.background_tokens"},
    "Generator": {
        "width": "tokens.width",
        "depth": "tokens.depth",
        "heads": "tokens.heads",
        "dropout": "tokens.dropout",
        "plan": "trajectory",
        "look": "appearance",
        "reach": "tokens.radius",
        "plan_width": "trajectory.width",
        "plan_depth": "trajectory.depth",
        "mixtures": "trajectory.mixtures",
        "rest_width": "tokens.background_width",
        "rest_depth": "tokens.background_depth",
        "unlabelled": "model.class_dropout",
    },
    "Sample": {
        "spread": "noise_scale",
        "plans": "path_versions",
        "rest_weight": "background_weight",
        "rest_tokens": "network.tokens.background_tokens",
    },
    "TokenDataModule": {"places": "tracks", "eval_places": "eval_tracks", "labelled": "labeled"},
}
# By class: each option that took other values, and what it takes now.
VALUES = {
    "ObjectWindows": {
        "symmetries": "`auto` instead of true, `[]` instead of false, or a list such as `[columns, rows]`"
    }
}
CLASSES = {"Forecaster": "Generator"}
CHECKPOINT_KEYS = {"made_for": "trained_for"}


def new_option(class_path: str, option: str) -> str | None:
    """Return the new key of an option of one of trajvq's classes, or None if it was not renamed."""
    return OPTIONS.get(_own_class(class_path), {}).get(option)


def new_values(class_path: str, option: str) -> str | None:
    """Return what an option of one of trajvq's classes takes now, or None if it never took other values."""
    return VALUES.get(_own_class(class_path), {}).get(option)


def old_names(content: Mapping[str, Any]) -> list[str]:
    """Return the old names in a checkpoint.

    Args:
        content: The checkpoint, with ``hyper_parameters`` as Lightning's command line saves them.
    """
    settings = content.get("hyper_parameters", {})
    task = {"class_path": settings.get("_class_path", ""), "init_args": settings}
    return [*(key for key in CHECKPOINT_KEYS if key in content), *_old_names(task)]


def _old_names(value: Any) -> Iterator[str]:
    """Yield the old names of a class, of its options, and of the classes among them."""
    if not isinstance(value, Mapping):
        return
    class_path, options = str(value.get("class_path", "")), value.get("init_args", {})
    if _own_class(class_path) in CLASSES:
        yield _own_class(class_path)
    yield from (option for option in options if new_option(class_path, option))
    for nested in options.values():
        yield from _old_names(nested)


def _own_class(class_path: str) -> str:
    """Return the name of one of trajvq's classes, or an empty string for a class of the user's own."""
    return class_path.rpartition(".")[2] if class_path.startswith(PACKAGE) else ""
