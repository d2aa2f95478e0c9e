"""What a worker's process is set to, in a process of its own."""

import os
import subprocess
import sys

_FAULTS = """
import resource, threading
import numpy as np
from rice_stream.worker.process_tuning import tune_process
tune_process()
def work():
    for _ in range(rounds):
        [np.ones(300_000) for _ in range(3)]
def faults():
    thread = threading.Thread(target=work); thread.start(); thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
rounds = 2
before = faults()
rounds = 50
print(faults() - before)
"""


def _output(program: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    ).stdout


def test_memory_that_a_batch_has_freed_is_used_again_without_faults() -> None:
    """Arrays of some megabytes, made and dropped by a thread; unless the environment says how memory is kept."""
    pages = 50 * 3 * 300_000 * 8 // 4096
    assert int(_output(_FAULTS)) < 0.05 * pages
    assert int(_output(_FAULTS, MALLOC_ARENA_MAX="2")) > 0.5 * pages
