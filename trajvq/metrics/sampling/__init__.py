"""Figures of sampled clips: physics, coverage, memorization and description length."""
