"""Figures of predicted frames."""
