"""Figures of sampled clips."""
