"""Train the weights of the tasks that come with the package, test them and write them into the package.

    python experiments/weights/make_tasks.py                                # after make_default.py; continues
    python experiments/weights/make_tasks.py --tasks classify --data.path datasets/default
    python experiments/weights/make_tasks.py --steps 30 --out shared        # a short trial beside the package

Each training is the task's shipped config on the default data and the package's tokenizer. The runs are
``runs/weights/TASK``, with ``--steps`` ``runs/weights/TASK-STEPS``; a part that is done is not repeated, so after a
change of the code or the tokenizer choose another ``--root``. Of each best checkpoint `trajvq.tokens.task_weights.slim`
keeps what test and prediction read, and `half` stores it as float16; that is what the test scores. ``README.md`` beside
the weights has the figures of all that are there.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from make_default import VALIDATIONS, trajvq

from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.files import write_text
from trajvq.metrics.figures import Figure
from trajvq.metrics.scoreboard import figures_of
from trajvq.runs.provenance import PROVENANCE
from trajvq.tokens.task_weights import FOLDER, TASKS, half, slim, write_slim

HEAD = """# Weights of the tasks

`--ckpt_path default` reads them. `experiments/weights/make_tasks.py` made them, on the tokenizer in
[`default`](../default/README.md), and this page. Figures are of split `test`, with 95 % intervals where there are any.
"""


def make(task: str, out: Path, root: Path, steps: int | None, options: list[str]) -> None:
    """Train and test a task, each unless it is done, and write its slim checkpoint.

    Args:
        task: Such as ``classify``.
        out: The folder to write.
        root: The folder of the runs.
        steps: Training steps; None for those of the config.
        options: More options of ``trajvq fit`` and ``trajvq test``.
    """
    name = task if steps is None else f"{task}-{steps}"
    run = root / name
    common = [f"--config={task}", f"--run_root={root}", f"--run={name}", "--model.tokenizer_ckpt=default", *options]
    if steps is not None:
        common += [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={max(steps // VALIDATIONS, 1)}"]
    if not (run / "complete.json").exists():
        trajvq("fit", *common)
    content, path = half(slim(read_checkpoint(run / "checkpoints/best.ckpt"))), run / "checkpoints/slim.ckpt"
    if not (run / "scoreboards/test.json").exists():
        write_slim(content, path)
        trajvq("test", *common, f"--ckpt_path={path}")
    board = json.loads((run / "scoreboards/test.json").read_text())
    write_slim(content | {"about": about(run), "test": figures(board)}, out / f"{task}.ckpt")


def about(run: Path) -> dict[str, Any]:
    """Return commit, machine, day, versions and the dataset's SHA-256 of a run's training, as it recorded them."""
    commands = json.loads((run / PROVENANCE).read_text())["commands"]
    fit = next(command for command in reversed(commands) if command["command"].startswith("trajvq fit"))
    versions = fit["versions"]
    facts = {name: versions.get(name, "unknown") for name in ("commit", "machine")}
    packages = {name: version for name, version in versions.items() if name not in facts}
    return facts | {"day": fit["started"][:10], "dataset": fit["dataset"]["sha256"], "versions": packages}


def figures(board: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of the model in a scoreboard, by heading and as text, and the number of clips."""
    row = board["rows"]["model"]
    columns = [f for name, f in figures_of(board).items() if f.display == "column" and name in row]
    return {
        "clips": board["clips"],
        "figures": {_heading(figure): _text(figure, row[figure.name]) for figure in columns},
    }


def _heading(figure: Figure) -> str:
    return f"{figure.heading}, {figure.unit}" if figure.unit else figure.heading


def _text(figure: Figure, value: Any) -> str:
    if not isinstance(value, Mapping):
        return figure.text(value)
    return f"{figure.text(value['value'])} ({figure.text(value['low'])} to {figure.text(value['high'])})"


def write_table(out: Path) -> None:
    """Write ``README.md``: a table of the training and the test of each task's weights in a folder."""
    lines = [HEAD]
    for task in TASKS:
        path = out / f"{task}.ckpt"
        if not path.exists():
            continue
        content = read_checkpoint(path)
        facts, test, score = content["about"], content["test"], content["score"]
        training = f"step {content['global_step']:,}, best {score['monitor']} {score['value']:.4g}"
        source = f"commit {facts['commit']}, {facts['machine']}, {facts['day']}"
        lines += [
            f"## {task}",
            "",
            f"{test['clips']} clips; {training}; {source}.",
            "",
            "| figure | value |",
            "|---|---|",
        ]
        lines += [f"| {heading} | {text} |" for heading, text in test["figures"].items()]
        lines.append("")
    write_text(out / "README.md", "\n".join(lines))


def main() -> None:
    """Make the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="(default: all)")
    parser.add_argument("--steps", type=int, help="steps of each training (default: those of its config)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write (default: the package's own)")
    parser.add_argument("--root", type=Path, default=Path("runs/weights"), help="folder of the runs")
    args, options = parser.parse_known_args()
    for task in args.tasks:
        make(task, args.out, args.root, args.steps, options)
        write_table(args.out)
        print(f"weights: {(args.out / f'{task}.ckpt').stat().st_size / 1e6:.1f} MB in {args.out / f'{task}.ckpt'}")


if __name__ == "__main__":
    main()
