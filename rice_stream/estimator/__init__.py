"""Energy of LLM requests: methods behind one interface (`types.Method`), pure and vectorised.

`load_method(name)` reads a method's fitted artefact; what it returns computes without clock, file, network or
environment.
"""

from rice_stream.estimator.calibrated import load_calibrated
from rice_stream.estimator.registry import load_method, load_paper, method_names

__all__ = ["load_calibrated", "load_method", "load_paper", "method_names"]
