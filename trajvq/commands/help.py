"""``trajvq fit --help`` and its like: what one needs to begin, at once and without Lightning."""

import re

from trajvq.commands.configs import shipped_configs

USAGE = """usage: trajvq {verb} --config CONFIG [--config OVERLAY ...] [--run NAME] [--KEY VALUE ...]

{what}

  --config CONFIG            a file, or one of those below by name; a later one overrides an earlier one
  --run NAME                 {run}
  --ckpt_path FILE           {checkpoint}
  --data.path DIR            dataset folder or URL (default: datasets/default, generated when it is not there)
{own}
Any value of a config can be given as --KEY VALUE, such as --data.batch_size 16 or --model.learning_rate 0.001.

configs of tasks:
{tasks}
overlays, as a second --config:
{overlays}

  trajvq {verb} --config recon --print_config    prints every value that is used, with the names of their keys
  trajvq {verb} --help_all                       lists every option there is; Lightning's too, which takes seconds
"""
WHAT = {
    "fit": "Train. Leaves a run folder runs/TASK/NAME with config, metrics, checkpoints and pictures.",
    "validate": "Print the figures of a checkpoint on split val.",
    "test": "Score a checkpoint beside answers that need no model; leaves scoreboards/SPLIT.json in its run folder.",
    "predict": "Write what a checkpoint makes of a split, into its run folder.",
}
OWN = {
    "fit": """  --trainer.max_steps N      length of the training
  --seed_everything N        the same seed gives the same run (default: 0)
  --mirror.url URL           keep a copy of the run in a store, such as s3://bucket/prefix
""",
    "validate": "",
    "test": """  --data.test_splits LIST    splits to score, such as '[test,ood_speed]' (default: [test])
""",
    "predict": """  --data.predict_split NAME  (default: test)
""",
}


def help_text(verb: str) -> str:
    """Return what ``trajvq VERB --help`` prints."""
    fit = verb == "fit"
    latest = "checkpoint (default: best.ckpt of --run, or of the newest finished run)"
    return USAGE.format(
        verb=verb,
        what=WHAT[verb],
        run="name of the run (default: date and time); that of an unfinished run continues it"
        if fit
        else "run to take",
        checkpoint="start from this checkpoint; to go on with a run give its --run instead" if fit else latest,
        own=OWN[verb],
        tasks=_listed(False),
        overlays=_listed(True),
    )


def _listed(overlays: bool) -> str:
    """Return a line for each shipped config: its name and the first sentence of its comment."""
    lines = []
    for name, comment in shipped_configs().items():
        if ("/" in name) == overlays:
            sentence = comment.split(". ")[0].rstrip(".:")
            sentence = re.sub(r"^A second --config(:| that| for)? ?", "", sentence)
            lines.append(f"  {name:16} {sentence}")
    return "\n".join(lines)
