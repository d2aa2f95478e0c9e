"""The wiring: settings, logs, and the parts put together for one set of settings. What the doors are built from."""
