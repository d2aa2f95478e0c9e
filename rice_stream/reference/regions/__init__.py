"""Regions: names and carbon intensities, and the ladder of fallbacks for those that no table knows."""
