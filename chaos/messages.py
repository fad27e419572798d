"""Faults of the broker: lost, killed, and its messages in another order, several times, long after they were done."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import time

import redis

from chaos.stage import Stage, signal_to

QUEUE, UNACKED = "celery", "unacked"
KEPT, COPIES = 200, 5


class Messages:
    """Keeps what it has seen in the queue, as a broker's old dump would."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage, self.random = stage, rng
        self.seen: list[bytes] = []
        self.repeated = 0

    def flush(self, chunk: object) -> None:
        with contextlib.suppress(redis.RedisError), self.stage.broker() as client:
            client.flushall()

    def kill(self, chunk: object) -> None:
        """SIGKILL, up to two seconds of nothing, a start."""
        with self.stage.broker() as client:
            signal_to(int(client.info("server")["process_id"]), signal.SIGKILL)
        self.stage.valkey.stop()
        time.sleep(self.random.uniform(0, 2))
        self.stage.valkey.start()

    def remember(self) -> None:
        """Look into the queue in passing."""
        with contextlib.suppress(redis.RedisError), self.stage.broker() as client:
            self.read(client)

    def read(self, client: redis.Redis) -> list[bytes]:
        """What waits and what is in work; kept for later."""
        waiting: list[bytes] = client.lrange(QUEUE, 0, -1)
        in_work = [json.dumps(json.loads(held)[0]).encode() for held in client.hvals(UNACKED)]
        self.seen = list(dict.fromkeys([*self.seen, *waiting, *in_work]))[-KEPT:]
        return [*waiting, *in_work]

    def repeat(self, chunk: object) -> None:
        """Whatever waits, is in work or was seen before: each up to five times, in any order, in place of the queue."""
        with contextlib.suppress(redis.RedisError), self.stage.broker() as client:
            now = self.read(client)
            old = self.random.sample(self.seen, min(len(self.seen), 10))
            wave = [message for message in [*now, *old] for _ in range(self.random.randint(1, COPIES))]
            self.random.shuffle(wave)
            if wave:
                with client.pipeline() as together:
                    together.delete(QUEUE)
                    together.lpush(QUEUE, *wave)
                    together.execute()
            self.repeated += len(wave)
