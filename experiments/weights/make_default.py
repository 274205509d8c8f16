"""Train the tokenizer that comes with the package, test it and write it into the package.

    python experiments/weights/make_default.py                            # 10,000 steps; continues after a break
    python experiments/weights/make_default.py --steps 20 --out shared    # a short trial beside the package

The training is the shipped ``recon`` config on the default data, which the first run generates. The run is
``runs/weights/default-STEPS``; a part that is done is not repeated, so after a change of the code choose another
``--root``. The folder is that of ``trajvq export``: safetensors, ``config.json`` and the card.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiment import trajvq

PACKAGE = Path(__file__).resolve().parents[2] / "trajvq" / "weights" / "default"
VALIDATIONS = 4


def make(out: Path, root: Path, steps: int, options: list[str]) -> None:
    """Train, test and export, each unless it is done.

    Args:
        out: The folder to write.
        root: The folder of the run.
        steps: Training steps.
        options: More options of ``trajvq fit`` and ``trajvq test``.
    """
    name = f"default-{steps}"
    run = root / name
    common = ["--config=recon", f"--run_root={root}", f"--run={name}", f"--trainer.max_steps={steps}", *options]
    if not (run / "complete.json").exists():
        trajvq("fit", *common, f"--trainer.val_check_interval={steps // VALIDATIONS}")
    if not (run / "scoreboards/test.json").exists():
        trajvq("test", *common)
    trajvq("export", f"--ckpt_path={run}/checkpoints/best.ckpt", f"--out={out}", "--no-chart", "--name=default")


def main() -> None:
    """Make the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=PACKAGE, help="folder to write (default: the package's own)")
    parser.add_argument("--root", type=Path, default=Path("runs/weights"), help="folder of the run")
    args, options = parser.parse_known_args()
    make(args.out, args.root, args.steps, options)
    print(f"weights: {sum(path.stat().st_size for path in args.out.iterdir()) / 1e6:.1f} MB in {args.out}")


if __name__ == "__main__":
    main()
