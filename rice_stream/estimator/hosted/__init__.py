"""Hosted models: the fitted rows that give a closed or hosted model's energy where nobody says how it is served."""
