"""Measure accuracy by number of labels, compared with the same network on true paths; also with random labels.

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
from trajvq.tasks.tracks import TrackTraining, classify_tracks
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.tracks import as_path

CASES = ("joint", "labels", "random")


def run(folder: Path, tokenizer: str, case: str, count: int, seed: int, steps: int) -> dict[str, object]:
    """Train once and return the accuracy on the test split.

    Args:
        folder: The dataset.
        tokenizer: Checkpoint of the tokenizer.
        case: ``joint``: unlabeled clips train the tracks; ``labels``: only labeled clips are used, and
            ``tracks_weight`` is 0; ``random``: as ``joint`` with shuffled labels.
        count: Number of labeled clips; 0 for all.
        seed: Seed of weights and order.
        steps: Number of training steps.
    """
    start = time.monotonic()
    L.seed_everything(seed, verbose=False)
    joint = case != "labels"
    task = Classify(tokenizer, TokenClassifier(), total_steps=steps, tracks_weight=30.0 if joint else 0.0)
    limit = {"labeled": count or None} if joint else {"train_clips": count or None}
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
        correct = task.eval()(tokens.tokens[:, 0].long()).argmax(dim=1) == label
    accuracies: dict[str, object] = {"case": case, "labels": count or len(data.clips("train")), "seed": seed}
    accuracies |= {"steps": steps, "seconds": round(seconds, 1), "model": wilson(float(correct.sum()), len(correct))}
    if case == "joint":
        assert task.layout is not None
        train, (_, _, height, width) = data.clips("train"), clips.shape
        rows = slice(count or len(train))
        probability = classify_tracks(
            TokenClassifier(),
            task.layout,
            len(task.classes),
            (as_path(train.columns["pixel"][rows][:, :, 0], height, width), train.columns["label"][rows]),
            {"test": as_path(clips.columns["pixel"][:, :, 0], height, width)},
            TrackTraining.of(
                trainer,
                steps=steps,
                learning_rate=task.learning_rate,
                warmup_steps=task.warmup_steps,
                betas=task.betas,
                weight_decay=task.weight_decay,
                label_smoothing=task.label_smoothing,
                tracks_weight=task.tracks_weight,
                seed=seed,
            ),
            size=(height, width),
        )
        correct_true_path = float((probability["test"].argmax(dim=1) == label).sum())
        accuracies["true_path"] = wilson(correct_true_path, len(label))
    return accuracies


def main() -> None:
    """Run all requested cases and append one line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("datasets/default"))
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["joint"])
    parser.add_argument("--labels", nargs="+", type=int, default=[50, 200, 1000, 0], help="0 is all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    warnings.filterwarnings("ignore")
    for seed in args.seeds:
        for count in args.labels:
            for case in args.cases:
                line = json.dumps(run(args.data, args.tokenizer, case, count, seed, args.steps))
                print(line, flush=True)
                with args.out.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
