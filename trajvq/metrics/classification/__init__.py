"""Figures of classifiers and their baselines."""
