"""Accuracy by number of labels, beside the same network fed the true path; and what random labels give.

python experiments/label_efficiency/study.py --tokenizer runs/recon/latest/checkpoints/best.ckpt --out labels.jsonl
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging

from trajvq.callbacks import StepSeeds
from trajvq.metrics.intervals import wilson
from trajvq.models import TokenClassifier
from trajvq.tasks import Classify
from trajvq.tasks.true_path import path_of, true_path_answers
from trajvq.tokens.datamodule import TokenDataModule

CASES = ("joint", "labels", "random")


def run(folder: Path, tokenizer: str, case: str, count: int, seed: int, steps: int) -> dict[str, object]:
    """Train once and return what came of it on the test split.

    Args:
        folder: The dataset.
        tokenizer: Checkpoint of the tokenizer.
        case: ``joint``: the clips without label teach where things are; ``labels``: nothing but labels teaches
            (``tracks_weight`` 0, and only the labelled clips are seen); ``random``: as ``joint``, labels shuffled.
        count: Clips with a label; 0 for all.
        seed: Of weights and order.
        steps: Training steps.
    """
    start = time.monotonic()
    L.seed_everything(seed, verbose=False)
    joint = case != "labels"
    task = Classify(tokenizer, TokenClassifier(), steps, tracks_weight=30.0 if joint else 0.0)
    limit = {"labelled": count or None} if joint else {"train_clips": count or None}
    total = count or 4000
    size = min(128, total) if not joint else 128
    data = TokenDataModule(folder, batch_size=size, seed=seed, tracks=joint, **limit)  # type: ignore[arg-type]
    if case == "random":
        label = data.clips("train").columns["label"]
        label.copy_(label[torch.randperm(len(label), generator=torch.Generator().manual_seed(seed))])
    trainer = L.Trainer(
        max_steps=steps,
        accelerator="cpu",
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=[EMAWeightAveraging(decay=0.99), StepSeeds(seed)],
    )
    trainer.fit(task, data)
    seconds = time.monotonic() - start
    clips, tokens = data.clips("test"), data.tokens("test")
    label = clips.columns["label"]
    with torch.no_grad():
        right = task.eval()(tokens.tokens[:, 0].long()).argmax(dim=1) == label
    found: dict[str, object] = {"case": case, "labels": count or len(data.clips("train")), "seed": seed}
    found |= {"steps": steps, "seconds": round(seconds, 1), "model": wilson(float(right.sum()), len(right))}
    if case == "joint":
        assert task.layout is not None
        settings = (task.learning_rate, task.warmup_steps, task.betas, task.weight_decay)
        train = data.clips("train")
        answers = true_path_answers(
            TokenClassifier(),
            task.layout,
            len(task.classes),
            train,
            count or len(train),
            {"test": path_of(clips)},
            None,
            steps,
            128,
            (task.label_smoothing, task.tracks_weight),
            seed,
            settings,
        )
        hits = float((answers["test"].argmax(dim=1) == label).sum())
        found["true_path"] = wilson(hits, len(label))
    return found


def main() -> None:
    """Run what was asked for, a line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["joint"])
    parser.add_argument("--labels", nargs="+", type=int, default=[50, 200, 1000, 0], help="0 is all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_flush_denormal(True)
    warnings.filterwarnings("ignore")
    for seed in asked.seeds:
        for count in asked.labels:
            for case in asked.cases:
                found = run(asked.data, asked.tokenizer, case, count, seed, asked.steps)
                print(json.dumps(found), flush=True)
                with asked.out.open("a") as file:
                    file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
