#!/usr/bin/env python3
"""Django's command line. Commands that change the schema log in as the owner of the database.

When DATABASE_URL is not set, the addresses of a running `make run` are read from CUSTODY_HOME.
"""

import os
import sys

from console.embedded.environment import load_running

OWNER_COMMANDS = frozenset(
    {
        "adopt",
        "baseline",
        "demo",
        "demo_logins",
        "makemigrations",
        "migrate",
        "provisioning",
        "sqlmigrate",
        "squashmigrations",
    }
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    load_running(os.environ)
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ.setdefault("CUSTODY_DB_LOGIN", "owner")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
