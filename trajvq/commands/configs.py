"""The configs that come with the package: found by name in any folder, and listed with what each is for."""

from pathlib import Path

from trajvq.errors import UserError, did_you_mean

PACKAGE = Path(__file__).parents[1]
FOLDERS = (PACKAGE / "configs", PACKAGE.parent / "configs")  # of a wheel, of a checkout


def find_config(name: str) -> str:
    """Resolve the value of ``--config``: a file as it is, or a shipped one by its name, with or without ``configs/``.

    Raises:
        UserError: If there is neither.
    """
    if Path(name).is_file():
        return name
    short = name.removeprefix("configs/").removesuffix(".yaml")
    for folder in FOLDERS:
        if (folder / f"{short}.yaml").is_file():
            return str(folder / f"{short}.yaml")
    known = list(shipped_configs())
    near = did_you_mean(short, known)
    raise UserError(f"there is no config {name}{near or '; shipped ones: ' + ', '.join(known)}")


def shipped_configs() -> dict[str, str]:
    """Return the names of all shipped configs, tasks first, each with its first line of comment."""
    found = {str(path.relative_to(folder))[:-5]: path for folder in FOLDERS for path in sorted(folder.rglob("*.yaml"))}
    return {
        name: found[name].read_text().splitlines()[0].removeprefix("# ")
        for name in sorted(found, key=lambda name: ("/" in name, name))
    }
