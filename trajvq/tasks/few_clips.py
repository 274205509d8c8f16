"""How training adapts to the number of clips: few are learned by heart in many passes."""

import lightning as L


def clips_per_step(trainer: L.Trainer, clips: int, batch_size: int) -> int:
    """Return the clips of a step: of all processes, and of all batches whose gradients it adds.

    Args:
        trainer: Of the run.
        clips: N, of the training.
        batch_size: Clips of a batch of one process; all of them where there are fewer.
    """
    return min(batch_size * trainer.world_size, clips) * trainer.accumulate_grad_batches


def limit_passes(trainer: L.Trainer, clips: int, per_step: int, passes: int) -> str | None:
    """Shorten the training if it would pass over its clips too often; validations move closer together.

    Call it before loaders and optimizers are created. The same numbers give the same steps, so a run that continues is
    shortened alike.

    Args:
        trainer: Of the run.
        clips: N, of the training.
        per_step: Clips of a step when the run began, see `clips_per_step`.
        passes: Over the clips, at most; but at least one step between two validations.

    Returns:
        What was changed, in a line; None for nothing.
    """
    most, interval, batches = trainer.max_steps, trainer.val_check_interval, trainer.accumulate_grad_batches
    validations = max(most * batches // interval, 1) if isinstance(interval, int) else 1
    between = max(round(passes * clips / per_step / validations), 1)  # steps
    steps = between * validations
    if steps >= most:
        return None
    trainer.fit_loop.epoch_loop.max_steps = steps  # the trainer's only place for it
    trainer.val_check_interval = between * batches
    return (
        f"steps: {steps:,} instead of {most:,}, since there are {clips:,} training clips: {passes} passes over them "
        "are enough (model.max_passes)"
    )
