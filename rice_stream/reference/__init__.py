"""Reference data: model parameters, accelerators, carbon intensities, PUE, providers. One loader, pure look-ups.

`loader.load_reference` reads the shipped tables and a user's overlay; everything else here is a pure function of them.
docs/reference-data.md has the sources, the ladders and how to overlay your own figures.
"""
