"""The help of the training commands: the options to begin with, printed without importing Lightning."""

import re

from trajvq.commands.configs import shipped_configs

USAGE = """usage: trajvq {verb} --config CONFIG [--config OVERLAY ...] [--run NAME] [--KEY VALUE ...]

{description}

  --config CONFIG            a file, or the name of a config below; a later one overrides an earlier one
  --run NAME                 {run}
  --ckpt_path FILE           {checkpoint}
  --data.path DIR            dataset folder or URL (default: datasets/default, generated if it does not exist)
{options}
Any value of a config can be set as --KEY VALUE, such as --data.batch_size 16 or --model.learning_rate 0.001.

task configs:
{tasks}
overlays, as a second --config:
{overlays}

  trajvq {verb} --config recon --print_config    print every value with its key
  trajvq {verb} --help_all                       list every option, including Lightning's; takes seconds
"""
DESCRIPTIONS = {
    "fit": "Train a model. Writes config, metrics, checkpoints and pictures to the run folder runs/TASK/NAME.",
    "validate": "Print the figures of a checkpoint on split val.",
    "test": "Score a checkpoint beside trivial answers. Writes scoreboards/SPLIT.json to the run folder.",
    "predict": "Write the predictions of a checkpoint for a split to the run folder.",
}
VERBS = tuple(DESCRIPTIONS)
OPTIONS = {
    "fit": """  --trainer.max_steps N      length of the training
  --seed_everything N        random seed (default: 0)
  --mirror.url URL           keep a copy of the run in a remote store, such as s3://bucket/prefix
""",
    "validate": "",
    "test": """  --data.test_splits LIST    splits to score, such as '[test,ood_speed]' (default: [test])
""",
    "predict": """  --data.predict_split NAME  split to predict (default: test)
""",
}


def help_text(verb: str) -> str:
    """Return what ``trajvq VERB --help`` prints.

    Args:
        verb: One of `VERBS`.
    """
    if verb == "fit":
        run = "name of the run (default: date and time); the name of an unfinished run continues it"
        checkpoint = "start from this checkpoint; to continue a run, use --run instead"
    else:
        run = "the run to use"
        checkpoint = "checkpoint, or `default` of the package (not set: best.ckpt of --run or the newest run)"
    return USAGE.format(
        verb=verb,
        description=DESCRIPTIONS[verb],
        run=run,
        checkpoint=checkpoint,
        options=OPTIONS[verb],
        tasks=_listed(overlays=False),
        overlays=_listed(overlays=True),
    )


def _listed(overlays: bool) -> str:
    """Return one line per shipped config: its name and the first sentence of its comment."""
    lines = []
    for name, comment in shipped_configs().items():
        if ("/" in name) == overlays:
            sentence = comment.split(". ")[0].rstrip(".:")
            sentence = re.sub(r"^A second --config(:| that| for)? ?", "", sentence)
            lines.append(f"  {name:16} {sentence}")
    return "\n".join(lines)
