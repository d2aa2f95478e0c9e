"""Energy methods behind one interface (`method.Method`), pure and vectorised.

`registry.load_method(name)` gives a method with its fitted artefact, which `artefact_files` reads; everything else computes without
clock, file, network or environment.
"""
