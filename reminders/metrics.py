"""What `/metrics` tells Prometheus: do reminders flow, how many, and what stands in their way. Nothing about anyone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from patients.models import PlanRequest
from portal import audit, clock
from portal.models import Heartbeat, SendingSwitch
from portal.settings import is_loopback
from reminders import balance, counting, pacing
from reminders.models import Reminder, SendingChannel

# A decision of these gates says that a mail was tried, and not taken.
FAILURES = frozenset({"mail_server", "in_doubt", "channel_stopped", "domain_slowed"})


class Reminders(Collector):
    """Asks the database and the broker when Prometheus asks: right in every process, and after any crash."""

    def collect(self) -> Iterator[Metric]:
        """Every metric, read just now."""
        yield from _flow()
        yield from _obstacles()
        yield from _totals()
        yield _beats()

    def describe(self) -> list[Metric]:
        """Nothing in advance: the registry must not ask the database when the process starts."""
        return []


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"stepwise_{name}", help_text, value=value)


def _flow() -> Iterator[Metric]:
    now = clock.now()
    due = Reminder.objects.due(now)
    oldest = due.values_list("due_at", flat=True).first()
    waited = now - oldest if oldest else timedelta()
    claimed = Reminder.objects.filter(state=Reminder.State.CLAIMED).count()
    yield _gauge(
        "reminders_due", "Reminders whose moment has come and that wait to be sent.", due.count()
    )
    yield _gauge(
        "oldest_overdue_seconds", "How long the oldest of them has waited.", waited.total_seconds()
    )
    yield _gauge("reminders_in_flight", "Reminders that a worker holds.", claimed)
    yield _gauge(
        "plan_requests", "Changes that no plan has taken in yet.", PlanRequest.objects.count()
    )


def _obstacles() -> Iterator[Metric]:
    slowed = SendingChannel.objects.filter(paused_until__gt=timezone.now()).exclude(
        domain=pacing.ALL_MAIL
    )
    gap = sum(row.gap for row in balance.gaps(now=clock.now()))
    depth = queue_depth()
    yield _gauge(
        "sending_on", "1 unless somebody stopped all sending.", SendingSwitch.current().is_on
    )
    yield _gauge(
        "channel_open",
        "0 while the mail server refuses our login or TLS.",
        pacing.stopped() is None,
    )
    yield _gauge("domains_slowed", "Recipient domains that asked for less mail.", slowed.count())
    yield _gauge(
        "reminders_unaccounted", "Reminders of the last days that nobody can account for.", gap
    )
    yield _gauge("broker_up", "1 if the broker answers.", depth is not None)
    yield _gauge("queue_depth", "Tasks that wait in the broker.", depth or 0)


def queue_depth() -> int | None:
    """How many tasks wait in the broker; None if it does not answer within a second."""
    try:
        with redis.from_url(
            settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1
        ) as client:
            return int(client.llen(settings.CELERY_TASK_DEFAULT_QUEUE))
    except (RedisError, OSError):
        return None


def _totals() -> Iterator[Metric]:
    sent = CounterMetricFamily("stepwise_sent", "Reminders sent.", labels=["category"])
    for category, number in counting.totals("sent:").items():
        sent.add_metric([category], number)
    decisions = CounterMetricFamily(
        "stepwise_decisions", "Decisions taken.", labels=["outcome", "gate"]
    )
    failures = CounterMetricFamily(
        "stepwise_failures", "Mails not taken, by what kept them.", labels=["class"]
    )
    for name, number in counting.totals("decision:").items():
        outcome, _, gate = name.partition(":")
        decisions.add_metric([outcome, gate], number)
        if outcome == "fail" or gate in FAILURES:
            failures.add_metric([gate], number)
    recovered = counting.totals(counting.LEASE_RECOVERIES).get("", 0)
    recoveries = CounterMetricFamily(
        "stepwise_lease_recoveries", "Reminders taken back from workers that died.", value=recovered
    )
    yield from (sent, decisions, failures, recoveries)


def _beats() -> Metric:
    ages = GaugeMetricFamily(
        "stepwise_beat_age_seconds", "Since a recurring job ran to its end.", labels=["job"]
    )
    for row in Heartbeat.objects.filter(name__in=[*settings.CELERY_BEAT_SCHEDULE]):
        ages.add_metric([row.name], (timezone.now() - row.beat_at).total_seconds())
    return ages


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics, for whoever brings the token; without one set, for this machine alone. Raises Http404."""
    if not _may_read(request):
        raise Http404
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Reminders())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        brought = request.headers.get("Authorization", "")
        return constant_time_compare(brought, f"Bearer {settings.METRICS_TOKEN}")
    # Behind a proxy on this machine everybody seems to come from here; a site with TLS has one.
    return not settings.USES_HTTPS and is_loopback(audit.client_address(request) or "")
