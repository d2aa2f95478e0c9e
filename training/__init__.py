"""Fits the estimators that `rice_stream.estimator` ships, and writes the validation reports.

`python -m training.paper` rebuilds the artefact of `rice-paper` byte for byte from the figures in `training/data`;
`python -m training.calibrated DIR` that of `rice-calibrated` from published files, with docs/validation-calibrated.md;
`python -m training.validate DIR` writes docs/validation.md and its plots, with other tools (`training.rivals`) on the same
rows. Nothing here is imported at run time.
"""
