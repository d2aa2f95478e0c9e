"""What the demo's worker is told: the user's way to estimate, and nothing else of their settings."""

from pathlib import Path
from typing import cast

from rice_stream.runtime.settings.loading import load_settings
from rice_stream.sandbox.demo.stage import demo_environment
from rice_stream.sandbox.stack.stack import LocalStack


class _Stack:
    def environment(self) -> dict[str, str]:
        return {"RICE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


def test_the_workers_settings_estimate_as_the_users_do_and_reach_the_demos_own_broker(tmp_path: Path) -> None:
    """Profiles and overrides travel as the JSON that they were written in; the user's broker is never touched."""
    mine = load_settings(
        environment={
            "RICE_KAFKA_BOOTSTRAP_SERVERS": "production:9092",
            "RICE_PUE": "1.3",
            "RICE_REFERENCE_DIR": str(tmp_path),
            "RICE_SERVING_PROFILES": '[{"name": "ours", "hardware": "H200", "batch_size": [4, 12, 40]}]',
            "RICE_SERVING_OVERRIDES": '[{"model": "llama-*", "profile": "ours"}]',
        }
    )
    theirs = load_settings(environment=demo_environment(mine, cast("LocalStack", _Stack())))
    assert theirs.factor_policy() == mine.factor_policy()
    assert theirs.reference_dir == tmp_path
    assert theirs.kafka_bootstrap_servers == "127.0.0.1:1"
