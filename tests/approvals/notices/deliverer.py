"""A deliverer of its own process: `python -m tests.approvals.notices.deliverer [die-after-sending]`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any


def main() -> None:
    import django

    django.setup()
    from approvals.notices import delivering, webhooks

    if "die-after-sending" in sys.argv:
        send = webhooks.send

        def and_die(*given: Any) -> None:
            send(*given)
            os.kill(os.getpid(), signal.SIGKILL)

        webhooks.send = and_die
    sys.stdout.write(str(delivering.deliver_due(budget_s=30)))


if __name__ == "__main__":
    main()
