"""The simulator says what would be sent, when and why not, as the pipeline then does it, and writes nothing."""

from datetime import date, datetime, timedelta
from io import StringIO
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from portal import clock
from reminders import pipeline
from reminders.models import Preference, Reminder
from reminders.simulator import compare, simulate
from reminders.whatif import WhatIf, sample
from tests.factories import NOW, make_step, make_version

TODAY = NOW.date()
LAST = date(2026, 12, 31)
SPAN = {"first": TODAY, "last": LAST, "now": NOW}


def everything():
    """Every row of every table, field by field."""
    return {
        model._meta.label: sorted(map(str, model._default_manager.values_list()))
        for model in apps.get_models()
    }


def moments(rows, step):
    return [f"{row.at:%Y-%m-%d %H:%M}" for row in rows if row.key.step == step]


def test_simulating_writes_nothing(planned):
    before = everything()
    what_if = WhatIf(
        anchors={"surgery": date(2026, 6, 1), "discharge": date(2026, 6, 4), "quit": None},
        uses_nicotine=False, zone="Asia/Tokyo", switched_off=frozenset({"recovery"}),
        version=planned.child_version,
    )  # fmt: skip

    for episode in planned.episodes:
        simulate(episode, what_if=what_if, **SPAN)
        simulate(episode, with_gates=False, **SPAN)
    simulate(sample(planned.adult_version, {"surgery": LAST}, birth_date=date(1990, 1, 1)), **SPAN)

    assert everything() == before
    assert len(before) > 30


def test_what_it_foretells_is_what_the_pipeline_then_does(planned, stopped_clock):
    foretold = simulate(planned.episode, **SPAN)

    for due_at in sorted(set(Reminder.objects.values_list("due_at", flat=True))):
        stopped_clock.move_to(due_at)
        pipeline.dispatch(now=clock.now())

    sent = [
        (row.step_key, row.message.sent_at)
        for row in Reminder.objects.filter(episode=planned.episode, state="sent").select_related(
            "message"
        )
        if row.message and row.message.sent_at and row.local_date <= LAST
    ]
    assert sorted((row.key.step, row.at) for row in foretold if row.goes) == sorted(sent)
    assert len(sent) > 5


def test_moving_surgery_moves_what_counts_from_it_and_its_words(planned):
    rows = simulate(planned.episode, what_if=WhatIf(anchors={"surgery": date(2026, 6, 1)}), **SPAN)

    [bag] = [row for row in rows if row.key.step == "pack-bag"]
    assert bag.at == datetime(2026, 5, 30, 9, 0, tzinfo=ZoneInfo("Europe/London"))
    assert "Monday 1 June 2026" in bag.words.text
    [xray] = [row for row in rows if row.key.step == "xray-window"]
    assert "between Monday 13 July 2026 and Monday 27 July 2026" in xray.words.text


def test_an_anchor_that_is_taken_away_plans_nothing(planned):
    rows = simulate(planned.episode, what_if=WhatIf(anchors={"surgery": None}), **SPAN)

    assert {row.key.step for row in rows} == {"insurer"}


def test_a_smoker_gets_the_smoking_steps_and_a_non_smoker_none(planned):
    smoking = simulate(planned.other_episode, what_if=WhatIf(uses_nicotine=True), **SPAN)
    stored = simulate(planned.other_episode, **SPAN)

    assert {row.category for row in smoking} - {row.category for row in stored} == {
        "smoking_cessation"
    }


def test_a_reader_in_another_zone_gets_it_by_their_own_clock(planned):
    rows = simulate(planned.episode, what_if=WhatIf(zone="Asia/Tokyo"), **SPAN)

    [bag] = [row for row in rows if row.key.step == "pack-bag"]
    assert (bag.at.hour, bag.at.tzname()) == (9, "JST")


def test_a_category_switched_off_stays_out_and_the_essential_goes(planned):
    rows = simulate(
        planned.episode, what_if=WhatIf(switched_off=frozenset({"preparation"})), **SPAN
    )

    verdicts = {
        row.key.step: (row.outcome, row.gate) for row in rows if row.category == "preparation"
    }
    assert verdicts == {
        "insurer": ("skip", "switched_off"),
        "pack-bag": ("skip", "switched_off"),
        "day-before": ("send", "all_gates"),
    }
    [bag] = [row for row in rows if row.key.step == "pack-bag"]
    assert bag.verdict.startswith("left out: The recipient has switched this category off")


def test_without_gates_everything_goes(planned):
    Preference.objects.create(user=planned.patient.user, category="preparation", is_on=False)

    gated = simulate(planned.episode, **SPAN)
    free = simulate(planned.episode, with_gates=False, **SPAN)

    assert [row.key for row in gated if not row.goes] != []
    assert [row.key for row in free if not row.goes] == []


def test_the_daily_cap_puts_off_to_the_next_morning(planned):
    version = make_version(planned.clinic, audience="any", is_approved=False)
    for number in range(6):
        make_step(version, f"step-{number}", position=number, at=f"1{number}:00")
    version.refresh_from_db()

    rows = simulate(planned.episode, what_if=WhatIf(version=version), **SPAN)

    by_day = {day: len(list(each)) for day, each in groupby(rows, key=lambda row: row.at.date())}
    surgery_on = planned.surgery_on
    assert by_day == {surgery_on: 4, surgery_on + timedelta(days=1): 2}


def test_what_was_sent_is_shown_as_sent_and_corrected_where_it_must_be(planned, stopped_clock):
    stopped_clock.move_to(
        datetime.combine(planned.surgery_on - timedelta(days=2), NOW.time(), NOW.tzinfo)
    )
    pipeline.dispatch(now=clock.now())
    assert Reminder.objects.get(episode=planned.episode, step_key="pack-bag").state == "sent"

    later = WhatIf(anchors={"surgery": planned.surgery_on + timedelta(days=14)})
    rows = simulate(planned.episode, first=TODAY, last=LAST, now=clock.now(), what_if=later)

    bags = [(row.correction, row.gate, row.at.date()) for row in rows if row.key.step == "pack-bag"]
    assert bags == [
        (0, "already_sent", planned.surgery_on - timedelta(days=2)),
        (1, "all_gates", planned.surgery_on + timedelta(days=12)),
    ]


def test_a_text_that_cannot_be_filled_is_said_to_fail(planned):
    version = make_version(planned.clinic, audience="any", is_approved=False)
    make_step(version, "broken", texts={"en-gb": {"body": "Come at {appointment_time}."}})

    [row] = simulate(planned.episode, what_if=WhatIf(version=version), **SPAN)

    assert (row.outcome, row.gate) == ("fail", "text_incomplete")


def test_two_parents_are_simulated_each_in_their_zone(planned):
    rows = [row for row in simulate(planned.child_episode, **SPAN) if row.key.step == "pack-toys"]

    assert {(row.recipient, row.at.tzname(), row.at.hour) for row in rows} == {
        ("Maya Kidd", "BST", 9),
        ("Finn Kidd", "EDT", 9),
    }


def test_a_sample_patient_needs_no_row(planned):
    episode = sample(
        planned.adult_version, {"surgery": date(2026, 5, 1)}, birth_date=date(1980, 1, 1)
    )

    rows = simulate(episode, **SPAN)

    assert {"pack-bag", "day-before"} <= {row.key.step for row in rows if row.goes}
    assert {row.recipient for row in rows} == {"Sample Reader"}


def test_a_past_span_is_planned_as_of_its_beginning(planned):
    rows = simulate(
        planned.episode, first=date(2026, 1, 1), last=LAST, now=NOW + timedelta(days=90)
    )

    assert moments(rows, "pack-bag") == ["2026-04-25 09:00"]
    assert [row.goes for row in rows if row.key.step == "pack-bag"] == [True]


def test_two_simulations_side_by_side(planned):
    moved = simulate(
        planned.episode, what_if=WhatIf(anchors={"surgery": date(2026, 5, 11)}), **SPAN
    )

    pairs = {pair.key.step: pair for pair in compare(simulate(planned.episode, **SPAN), moved)}

    assert pairs["insurer"].differs is False
    bag = pairs["pack-bag"]
    assert bag.differs
    assert bag.left is not None
    assert bag.right is not None
    assert (bag.left.at.date(), bag.right.at.date()) == (date(2026, 4, 25), date(2026, 5, 9))


def test_the_command_prints_a_table(planned):
    out = StringIO()
    call_command(
        "simulate", "--episode", str(planned.episode.id), "--surgery", "2026-06-01", stdout=out
    )

    assert (
        "2026-05-30 09:00 BST  Patricia O'Neill      preparation        Your next step: Pack bag"
        in out.getvalue()
    )


def test_the_command_compares(planned):
    out = StringIO()
    call_command(
        "simulate",
        "--episode",
        str(planned.episode.id),
        "--surgery=2026-06-01",
        "--compare",
        stdout=out,
    )

    assert "* 2026-04-25 09:00 sent        2026-05-30 09:00 sent" in out.getvalue()
    assert out.getvalue().strip().endswith("reminders differ.")


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        (["--episode", "no-id"], "There is no episode no-id."),
        (["--anchor", "birthday=2026-01-01"], "An anchor is one of the known events"),
        (["--anchor", "discharge=soon"], "is not NAME=DAY"),
        (["--zone", "Mars/Base"], "is not a time zone"),
    ],
)
def test_the_command_says_what_it_cannot_do(planned, option, complaint):
    whom = [] if "--episode" in option else ["--episode", str(planned.episode.id)]

    with pytest.raises(CommandError, match=complaint):
        call_command("simulate", *whom, *option, stdout=StringIO())
