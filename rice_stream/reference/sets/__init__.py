"""Dated factor sets: files of carbon intensities, PUEs, prices and evidence that are laid over the tables from an instant on."""
