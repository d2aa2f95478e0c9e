"""Models: names, sizes, and the ladder of fallbacks for those that no table knows."""
