"""Fits `rice-calibrated` and writes its validation report (`python -m training.calibrated DIR`)."""
