"""`rice-stream demo`: everything that runs in production, on this machine, for a minute.

`stage` starts it, `run` plays it, `screen` draws it, `summary` says whether all of it held.
"""
