"""Configs: find those that come with the package by name from any folder, list them, and check those of users."""

from pathlib import Path

import yaml

from trajvq.errors import UserError, did_you_mean, first_line

PACKAGE = Path(__file__).parents[1]
FOLDERS = (PACKAGE / "configs", PACKAGE.parent / "configs")  # in a wheel, in a checkout


def find_config(name: str) -> str:
    """Return the file that a value of ``--config`` names.

    Args:
        name: A file, or the name of a shipped config with or without ``configs/`` and ``.yaml``.

    Raises:
        UserError: If there is no such file or shipped config.
    """
    if Path(name).is_file():
        return name
    short = name.removeprefix("configs/").removesuffix(".yaml")
    for folder in FOLDERS:
        if (folder / f"{short}.yaml").is_file():
            return str(folder / f"{short}.yaml")
    names = list(shipped_configs())
    nearest = did_you_mean(short, names)
    raise UserError(f"there is no config {name}{nearest or '; shipped ones: ' + ', '.join(names)}")


def is_empty(path: str) -> bool:
    """Check that a config can be read, and return whether it sets nothing.

    Args:
        path: The file.

    Raises:
        UserError: If it is not UTF-8, not YAML, or no mapping from keys to values.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"cannot read config {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(
            f"config {path} is not UTF-8; save it as UTF-8 (a checkpoint is given as --ckpt_path)"
        ) from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"config {path}{line} is not YAML: {error.problem}; indent with spaces") from None
    except yaml.YAMLError as error:
        raise UserError(f"config {path} is not YAML: {first_line(error)}") from None
    if content is None:
        return True
    if not isinstance(content, dict):
        raise UserError(f"config {path} has no keys; write lines such as `seed_everything: 1`")
    for name, value in content.items():
        if value is None and (name == "trainer" or text.strip() == f"{name}:"):
            raise UserError(f"config {path} has no values under `{name}:`; add some or delete the line")
    return False


def shipped_configs() -> dict[str, str]:
    """Return the first line of comment of each shipped config by its name, tasks first."""
    paths = {str(path.relative_to(folder))[:-5]: path for folder in FOLDERS for path in sorted(folder.rglob("*.yaml"))}
    return {
        name: paths[name].read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        for name in sorted(paths, key=lambda name: ("/" in name, name))
    }
