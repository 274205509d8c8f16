"""Figures of reconstructed clips."""
