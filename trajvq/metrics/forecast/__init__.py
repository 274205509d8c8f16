"""Figures of forecasts: predicted paths and frames, their baselines and their error budget."""
