"""The configs that come with the package: find them by name from any folder, and list them."""

from pathlib import Path

from trajvq.errors import UserError, did_you_mean

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


def shipped_configs() -> dict[str, str]:
    """Return the first line of comment of each shipped config by its name, tasks first."""
    paths = {str(path.relative_to(folder))[:-5]: path for folder in FOLDERS for path in sorted(folder.rglob("*.yaml"))}
    return {
        name: paths[name].read_text().splitlines()[0].removeprefix("# ")
        for name in sorted(paths, key=lambda name: ("/" in name, name))
    }
