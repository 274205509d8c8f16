"""Optimizers, learning-rate schedules and strategies."""
