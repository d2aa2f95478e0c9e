"""What `rice-stream serve` does to deliver, as a process of its own for tests: it stops in order at SIGTERM.

python -m tests.support.delivery_server_program DATABASE_URL ALLOWED_HOST SECRETS_KEY LEASE_S
"""

import logging
import signal
import sys

from rice_stream.alerting.delivering import DeliveryTimes
from rice_stream.api.metrics import ServerMetrics
from rice_stream.runtime.delivery_chores import delivery_chores
from rice_stream.runtime.opening_delivery import delivering
from rice_stream.runtime.settings.settings import Settings


def main() -> None:
    """Deliver until SIGTERM."""
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    url, allowed, key, lease_s = sys.argv[1:]
    settings = Settings.model_validate({"database_url": url, "alert_allowed_hosts": allowed, "secrets_key": key})
    times = DeliveryTimes(poll_s=0.02, idle_s=0.2, lease_s=float(lease_s))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with delivering(settings, ServerMetrics(), times=times, chores=delivery_chores()):
        print("delivering", flush=True)
        signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    main()
