"""Figures of reconstructed clips and of their tokens."""
