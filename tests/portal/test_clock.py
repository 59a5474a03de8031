"""The one place that asks what time it is."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from portal import clock, heartbeat
from tests.factories import NOW


@pytest.fixture
def demo(settings, tmp_path, stopped_clock):
    settings.STEPWISE_DEMO = True
    settings.VAR_DIR = tmp_path
    return tmp_path


def test_outside_the_demo_the_clock_is_the_machines(settings, tmp_path, stopped_clock):
    settings.STEPWISE_DEMO, settings.VAR_DIR = False, tmp_path
    Path(tmp_path, "demo-clock").write_text("999999")

    assert (clock.now(), clock.today()) == (NOW, date(2026, 3, 2))


def test_outside_the_demo_the_clock_cannot_be_moved(settings, tmp_path):
    settings.STEPWISE_DEMO, settings.VAR_DIR = False, tmp_path

    with pytest.raises(RuntimeError, match="demo settings only"):
        clock.set_demo_offset(timedelta(days=1))
    assert list(tmp_path.iterdir()) == []


def test_the_demos_clock_stands_ahead(demo):
    assert clock.now() == NOW

    clock.set_demo_offset(timedelta(days=30, seconds=5))

    assert clock.now() == NOW + timedelta(days=30, seconds=5)
    assert clock.today() == date(2026, 4, 1)


def test_the_clock_is_replaced_in_one_step_and_leaves_nothing_else(demo):
    clock.set_demo_offset(timedelta(days=1))
    clock.set_demo_offset(timedelta(days=2))

    assert [path.name for path in demo.iterdir()] == ["demo-clock"]


@pytest.mark.django_db
def test_a_heartbeat_is_on_the_machines_clock(demo):
    assert heartbeat.age("plan") is None
    clock.set_demo_offset(timedelta(days=300))

    heartbeat.beat("plan")
    heartbeat.beat("plan")

    assert heartbeat.age("plan") == timezone.now() - NOW
