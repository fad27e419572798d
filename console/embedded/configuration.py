"""The settings, read once before anything is started: nonsense in the environment is one sentence, not a restart loop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from console.embedded.environment import PROJECT
from console.embedded.errors import Refused

READ = "import console.settings"
SAID = "django.core.exceptions.ImproperlyConfigured: "


def require_configuration(environment: Mapping[str, str]) -> None:
    """Raises Refused with what the settings say about this environment."""
    done = subprocess.run(
        [sys.executable, "-c", READ], cwd=PROJECT, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    last = (done.stderr.strip().splitlines() or ["The settings cannot be read."])[-1]
    raise Refused(last.removeprefix(SAID))
