"""CollapseWatch names the fault of a collapse, and acts only on tasks that reconstruct."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from trajvq.callbacks import CollapseWatch
from trajvq.errors import CollapseError


def trainer(skill: float) -> SimpleNamespace:
    """Return what CollapseWatch needs of a trainer after a validation."""
    return SimpleNamespace(
        sanity_checking=False,
        global_step=5,
        callback_metrics={"val/skill": torch.tensor(skill)},
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision),
    )


@pytest.mark.parametrize(
    ("reconstruction", "figures", "words"),
    [
        (torch.full((2, 3, 8, 8, 8), 3.0), {"val/visible": 0.0, "val/codes_used": 9.0}, "wrong range"),
        (torch.full((2, 3, 8, 8, 8), torch.nan), {}, "wrong range"),
        (torch.ones(2, 3, 8, 8, 8), {"val/visible": 0.0, "val/codes_used": 1.0}, "one code"),
        (torch.ones(2, 3, 8, 8, 8), {"val/visible": 0.0, "val/codes_used": 9.0}, "blank"),
        (torch.rand(2, 3, 1, 8, 8).expand(-1, -1, 8, -1, -1), {"val/visible": 0.9, "val/codes_used": 9.0}, "static"),
    ],
)
def test_faults_are_named(reconstruction: torch.Tensor, figures: dict[str, float], words: str) -> None:
    watch = CollapseWatch()
    outputs = {"reconstruction": reconstruction, "video": torch.rand(2, 3, 8, 8, 8)}
    watch.on_validation_batch_end(None, None, outputs, None, 0)  # type: ignore[arg-type]
    assert words in watch.fault(figures)


def test_only_validations_in_a_row_that_do_not_rise_count() -> None:
    watch = CollapseWatch(patience=3)
    watch.on_validation_batch_end(
        cast(Any, None), cast(Any, None), dict.fromkeys(("reconstruction", "video"), torch.rand(2, 3, 8, 8, 8)), None, 0
    )

    def validate(skill: float) -> None:
        watch.on_validation_end(cast(Any, trainer(skill)), cast(Any, None))
        watch.on_train_batch_start(cast(Any, None), cast(Any, None))

    for skill in (-85.0, -21.0, -2.0, -0.5, 0.0, 0.01, 0.9, 0.0, 0.0, 0.6, -0.2, -0.21):
        validate(skill)
    with pytest.raises(CollapseError, match="collapse after 3 validations"):
        validate(-0.19)


def test_a_task_without_reconstructions_cannot_collapse() -> None:
    watch = CollapseWatch(patience=1)
    watch.on_validation_batch_end(cast(Any, None), cast(Any, None), None, None, 0)
    watch.on_validation_end(cast(Any, trainer(-1.0)), cast(Any, None))
    watch.on_train_batch_start(cast(Any, None), cast(Any, None))
    assert watch.collapsed is None
