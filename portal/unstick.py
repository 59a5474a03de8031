"""Gets a worker going again that waits for ever, because the broker never heard that a task was done.

When acknowledging a task fails, say because Redis stood still for longer than the socket's time-out,
Celery logs "Couldn't ack" and goes on; the message stays counted against the prefetch limit, and a
worker that prefetches one never takes another (seen in tests/faults). This notices a message that
nobody works on, and drops the connection, so that the worker connects and counts anew.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import bootsteps
from celery.worker import state

logger = logging.getLogger(__name__)

# Seconds between two looks. What nobody works on at both is stuck.
LOOK_EVERY = 5.0


class Unstick(bootsteps.StartStopStep):
    """A step of Celery's consumer: looks again and again, in the worker's own event loop."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        self._seen: frozenset[str] = frozenset()
        super().__init__(consumer, **kwargs)

    def start(self, consumer: Any) -> None:
        """Begin to look, once the worker takes tasks."""
        self._seen = frozenset()
        self._timer = consumer.timer.call_repeatedly(LOOK_EVERY, self.look, (consumer,))

    def stop(self, consumer: Any) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self, consumer: Any) -> None:
        """Raise ConnectionError, which makes the worker connect anew, if a message is stuck."""
        orphans = orphans_of(consumer)
        stuck, self._seen = orphans & self._seen, orphans
        if stuck:
            logger.warning("a task could not be acknowledged; the worker connects anew")
            raise ConnectionError("A task could not be acknowledged.")


def orphans_of(consumer: Any) -> frozenset[str]:
    """The tags of the messages that count against the limit although no task of theirs is left."""
    qos = consumer.task_consumer.channel.qos
    worked_on = {request.message.delivery_tag for request in list(state.reserved_requests)}
    return frozenset(set(qos._delivered) - set(qos._dirty) - worked_on)
