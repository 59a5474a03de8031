"""One beat at a time: the clock of the periodic tasks ticks only while it holds a lock in the broker.

A second beat stands by and takes over when the first is gone. The lock keeps ticks from being sent
twice; two beats that tick at once, after the broker forgot everything, do no harm either.
"""

from __future__ import annotations

import logging
from typing import Any

import redis
from celery.beat import PersistentScheduler
from django.conf import settings
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

LOCK = "stepwise:beat"


class OneBeat(PersistentScheduler):
    """Celery's own scheduler, behind the lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        client = redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
        self._lock = client.lock(LOCK, timeout=settings.BEAT_LOCK_SECONDS, thread_local=False)
        self._leads = False
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, if this beat leads. Returns the seconds until it is to be asked again."""
        again = settings.BEAT_LOCK_SECONDS / 4
        if not self._is_leading():
            return again
        return min(super().tick(*args, **kwargs), again)

    def close(self) -> None:
        """Let another beat take over at once."""
        if self._leads:
            try:
                self._lock.release()
            except RedisError:
                logger.info("the beat's lock could not be given back; it runs out by itself")
        super().close()

    def _is_leading(self) -> bool:
        led, self._leads = self._leads, self._hold()
        if led != self._leads:
            logger.info("this beat leads now" if self._leads else "this beat stands by now")
        return self._leads

    def _hold(self) -> bool:
        """Keep the lock, or take it if it is free. Without a broker nobody leads: there is nobody to tick for."""
        try:
            if self._lock.owned():
                return self._lock.reacquire()
            return self._lock.acquire(blocking=False)
        except RedisError:
            return False
