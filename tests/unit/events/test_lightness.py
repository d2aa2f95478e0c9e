"""What reads events for others (a gateway's callback) is light: nothing that only the worker needs comes along."""

import subprocess
import sys

import pytest

HEAVY = {"numpy", "google.protobuf", "opentelemetry", "sqlalchemy", "faust"}


@pytest.mark.parametrize("module", ["rice_stream.events.formats.dispatch", "rice_stream.events.event_json"])
def test_reading_one_record_needs_neither_numpy_nor_protobuf(module: str) -> None:
    """Columns need the one, records in protobuf the other; both are loaded where they are used."""
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(loaded.stdout.split())


def test_the_callback_of_a_gateway_needs_neither_numpy_nor_protobuf() -> None:
    """Beside LiteLLM, which brings what it brings (here: nothing), it loads the Kafka client and the settings."""
    code = """
import sys, types
for name in ("litellm", "litellm.integrations", "litellm.integrations.custom_logger"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["litellm.integrations.custom_logger"].CustomLogger = object
import rice_stream.contrib.litellm
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(loaded.stdout.split())
