"""Energy methods behind one interface (`method.Method`), pure and vectorised.

`registry.load_method(name)` reads a method's fitted artefact; what it returns computes without clock, file, network or
environment.
"""
