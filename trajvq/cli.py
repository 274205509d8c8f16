"""The ``trajvq`` command. Starts fast: what a command needs is imported when it is called."""

import re
import sys
from collections.abc import Sequence

from trajvq import __version__
from trajvq.errors import UserError, did_you_mean

USAGE = """usage: trajvq COMMAND ...

Train and measure video tokenizers that keep small moving objects.

  fit        train, e.g. trajvq fit --config configs/recon.yaml
  validate   figures on the validation split
  test       scoreboards beside trivial answers, e.g. trajvq test --config configs/recon.yaml
  predict    write what the model makes of a split
  data       make, import, verify and show datasets: trajvq data --help
  sample     clips by class, as a dataset and as pictures: trajvq sample --help
  tokenize   a dataset as tokens with label, equation and description: trajvq tokenize --help
  chart      the eye chart: how small and faint may an object be? trajvq chart --help
  score      anyone's clips against a dataset split: trajvq score --help
  report     one HTML file of one run or many, e.g. trajvq report runs/recon/latest --out report.html
  export     a tokenizer as safetensors with a card, read without Lightning: trajvq export --help

`trajvq COMMAND --help` lists its options; any of a config can be given as --key value.
`trajvq --version` says which this is.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    It is 0, or 1 for damaged data, 2 for a mistake, 3 for a collapse, 128 + N for signal N.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    command = arguments[0] if arguments else "--help"
    try:
        if command in ("-h", "--help"):
            print(USAGE)
            return 0
        if command == "--version":
            print(f"trajvq {__version__}")
            return 0
        if command == "data":
            from trajvq.commands.data import main as data

            return data(arguments[1:])
        if command == "chart":
            from trajvq.commands.chart import main as chart

            return chart(arguments[1:])
        if command == "score":
            from trajvq.commands.score import main as score

            return score(arguments[1:])
        if command == "report":
            from trajvq.commands.report import main as report

            return report(arguments[1:])
        if command == "export":
            from trajvq.commands.export import main as export

            return export(arguments[1:])
        if command == "sample":
            from trajvq.commands.sample import main as sample

            return sample(arguments[1:])
        if command == "tokenize":
            from trajvq.commands.tokenize import main as tokenize

            return tokenize(arguments[1:])
        if command in ("fit", "validate", "test", "predict"):
            if {"-h", "--help"} & set(arguments):
                from trajvq.commands.help import help_text

                print(help_text(command))
                return 0
            from trajvq.commands.fit import main as train

            return train(arguments)
        known = re.findall(r"^  ([a-z]+)  ", USAGE, re.MULTILINE)
        raise UserError(f"unknown command {command!r}{did_you_mean(command, known)}; see `trajvq --help`")
    except UserError as error:
        # An error from a loader process arrives wrapped in that process's traceback; its last line is ours.
        line = str(error).strip().splitlines()[-1].removeprefix(f"{type(error).__module__}.{type(error).__name__}: ")
        print(f"trajvq: {line}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
