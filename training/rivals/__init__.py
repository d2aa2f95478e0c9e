"""Other tools for the energy of LLM use, on the rows that rice_stream is measured against: one module for each tool's formulas.

Formulas and constants are as published, with the source in each module; no code of theirs is used.
"""
