"""`python -m bench.users TABLE ROWS`: read one row by its key, again and again, until the input ends; print the milliseconds."""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time

import psycopg

PAUSE_S = 0.002


def main() -> int:
    table, rows = sys.argv[1], int(sys.argv[2])
    times: list[float] = []
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute("SET custody.all_tenants = 'on'")
        while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
            key = random.randint(1, rows)
            began = time.perf_counter()
            connection.execute(f"SELECT * FROM {table} WHERE id = %s", [key]).fetchone()
            times.append((time.perf_counter() - began) * 1000)
    print(json.dumps(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
