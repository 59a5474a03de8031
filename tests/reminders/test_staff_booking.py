"""Staff book, move and end an operation: what they see first, what is written, and that it is written once."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.urls import reverse

from patients.models import Episode, StepResponse
from portal.models import AuditEvent
from reminders.models import Reminder
from reminders.reconciler import reconcile
from tests.factories import make_appointment, make_message, make_patient, make_version
from tests.reminders.deeds import confirmed


def _written() -> Counter[str]:
    """How many rows there are of everything that a booking or a move writes."""
    changes = AuditEvent.objects.exclude(action=AuditEvent.Action.READ)
    return Counter(
        episodes=Episode.objects.count(), reminders=Reminder.objects.count(), changes=changes.count(),
        dates=sum(len(row.anchors) for row in Episode.objects.all()),
    )  # fmt: skip


@pytest.fixture
def newcomer(people) -> Any:
    """A patient without any operation, who smokes."""
    return make_patient(
        people.clinic,
        email="new@example.com",
        given_name="Nina",
        family_name="New",
        uses_nicotine=True,
    )


@pytest.fixture
def booking(people) -> dict[str, Any]:
    """What a clerk fills in."""
    return {
        "version": str(people.adult_version.pk), "side": "left", "surgeon": str(people.surgeon.pk),
        "surgery_on": str(people.surgery_on), "decision_on": "", "ticket": "a" * 32,
    }  # fmt: skip


def _book_url(patient: Any) -> str:
    return reverse("admin:episode_book", args=[patient.pk])


def test_the_preview_shows_the_whole_plan_and_writes_nothing(
    people, newcomer, booking, sign_in
) -> None:
    client, before = sign_in(people.clerk), _written()
    response = client.post(_book_url(newcomer), booking)
    page = response.content.decode()
    assert response.status_code == 200
    assert "Not booked yet" in page
    for title in ("Stop smoking", "Pack bag", "Day before", "Xray window", "Anniversary"):
        assert title in page
    assert "Nina New" in page
    assert "6 weeks before" in page
    assert "the day of going home" in page
    assert _written() == before


def test_the_preview_leaves_out_what_is_not_for_this_patient(
    people, newcomer, booking, sign_in
) -> None:
    newcomer.uses_nicotine = False
    newcomer.save()
    page = sign_in(people.clerk).post(_book_url(newcomer), booking).content.decode()
    assert "Stop smoking" not in page
    assert "Pack bag" in page


def test_what_is_already_late_is_shown_with_its_reason(people, newcomer, booking, sign_in) -> None:
    booking["surgery_on"] = str(people.now.date() + timedelta(days=1))
    page = sign_in(people.clerk).post(_book_url(newcomer), booking).content.decode()
    assert "Left out:" in page
    assert "Its day was already past" in page


def test_confirming_books_and_plans(people, newcomer, booking, sign_in) -> None:
    response = sign_in(people.clerk).post(
        _book_url(newcomer), booking | {"confirm": "1"}, follow=True
    )
    episode = Episode.objects.get(patient=newcomer)
    rows = Reminder.objects.filter(episode=episode)
    assert (episode.surgery_on, episode.side, episode.surgeon) == (
        people.surgery_on,
        "left",
        people.surgeon,
    )
    assert rows.filter(step_key="stop-smoking").count() == 6
    assert {row.recipient for row in rows} == {newcomer.user}
    assert f"Booked, with {rows.count()} reminders." in response.content.decode()
    assert (
        AuditEvent.objects.filter(
            verb="episode.open", actor=people.clerk, object_id=episode.pk
        ).count()
        == 1
    )


def test_pressing_twice_books_once(people, newcomer, booking, sign_in) -> None:
    client = sign_in(people.clerk)
    client.post(_book_url(newcomer), booking | {"confirm": "1"})
    once = _written()
    response = client.post(_book_url(newcomer), booking | {"confirm": "1"}, follow=True)
    assert _written() == once
    assert "This was done already" in response.content.decode()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("surgery_on", "2026-03-01", "The day of surgery is past already."),
        ("surgery_on", "2036-04-27", "more than two years ahead"),
        ("surgery_on", "soon", "Enter a valid date."),
        ("surgery_on", "", "Please fill this in."),
        ("decision_on", "2026-03-03", "The day of the decision lies in the future."),
        ("decision_on", "2016-03-03", "more than three years back"),
        ("side", "middle", "Please choose one of those that are shown."),
    ],
)
def test_what_cannot_be_right_is_refused_in_words(
    people, newcomer, booking, sign_in, field, value, words
) -> None:
    before = _written()
    for step in ({}, {"confirm": "1"}):
        page = (
            sign_in(people.clerk)
            .post(_book_url(newcomer), booking | {field: value} | step)
            .content.decode()
        )
        assert words in page
        assert "<title> Error:" in " ".join(page.split())
    assert _written() == before


def test_an_adults_pathway_is_not_for_a_child(people, booking, sign_in) -> None:
    page = sign_in(people.clerk).post(_book_url(people.child), booking).content.decode()
    assert "This pathway is for adults" in page


def test_a_childs_pathway_is_not_for_an_adult(people, newcomer, booking, sign_in) -> None:
    booking["version"] = str(people.child_version.pk)
    page = sign_in(people.clerk).post(_book_url(newcomer), booking).content.decode()
    assert "This pathway is for children" in page


def test_the_same_operation_is_not_booked_twice(people, booking, sign_in) -> None:
    page = sign_in(people.clerk).post(_book_url(people.patient), booking).content.decode()
    assert "booked already on this side" in page


@pytest.mark.parametrize("version", ["draft", "far"])
def test_only_an_approved_pathway_of_the_clinic_can_be_chosen(
    people, newcomer, booking, sign_in, version
) -> None:
    other = {"draft": make_version(people.clinic, is_approved=False), "far": people.far_version}[
        version
    ]
    page = (
        sign_in(people.clerk)
        .post(_book_url(newcomer), booking | {"version": str(other.pk)})
        .content.decode()
    )
    assert "Please choose one of those that are shown." in page


def test_without_anyone_to_write_to_the_preview_says_so(people, booking, sign_in) -> None:
    silent = make_patient(people.clinic, email=None)
    page = sign_in(people.clerk).post(_book_url(silent), booking).content.decode()
    assert "Nobody can get mail about this patient" in page


# --- Moving ----------------------------------------------------------------------------------


@pytest.fixture
def move(planned) -> dict[str, Any]:
    """Two weeks later."""
    later = planned.surgery_on + timedelta(days=14)
    return {"anchor": "surgery", "on": str(later), "reason": "Theatre closed", "ticket": "b" * 32}


def _move_url(episode: Episode) -> str:
    return reverse("admin:episode_move", args=[episode.pk])


def test_moving_shows_what_changes_and_writes_nothing(planned, move, sign_in) -> None:
    client, before = sign_in(planned.clerk), _written()
    response = client.post(_move_url(planned.episode), move)
    counts = response.context["counts"]
    assert response.status_code == 200
    assert counts["moved"] == Reminder.objects.filter(episode=planned.episode, state="planned").exclude(
        step_key="insurer").count()  # fmt: skip
    assert counts["kept"] == 1
    assert "Monday 27 April 2026" in response.content.decode()
    assert "Monday 11 May 2026" in response.content.decode()
    assert _written() == before


def test_confirming_writes_what_was_shown(planned, move, sign_in) -> None:
    client = sign_in(planned.clerk)
    shown = client.post(_move_url(planned.episode), move)
    client.post(_move_url(planned.episode), move | {"digest": shown.context["digest"]})
    episode = Episode.objects.get(pk=planned.episode.pk)
    assert episode.surgery_on == date.fromisoformat(move["on"])
    bag = Reminder.objects.get(episode=episode, step_key="pack-bag")
    assert bag.local_date == episode.surgery_on - timedelta(days=2)
    told = Reminder.objects.filter(episode=episode, kind=Reminder.Kind.SURGERY_MOVED)
    assert [row.recipient for row in told] == [planned.patient.user]
    event = AuditEvent.objects.get(verb="episode.set_anchor")
    assert (event.actor, event.reason) == (planned.clerk, "Theatre closed")


def test_confirming_twice_moves_and_tells_once(planned, move, sign_in) -> None:
    client = sign_in(planned.clerk)
    confirmed = move | {"digest": client.post(_move_url(planned.episode), move).context["digest"]}
    client.post(_move_url(planned.episode), confirmed)
    once = _written()
    response = client.post(_move_url(planned.episode), confirmed, follow=True)
    assert _written() == once
    assert "This was done already" in response.content.decode()


def test_a_plan_that_changed_meanwhile_is_shown_anew_and_not_written(
    planned, move, sign_in
) -> None:
    client = sign_in(planned.clerk)
    shown = client.post(_move_url(planned.episode), move).context["digest"]
    bag = Reminder.objects.filter(episode=planned.episode, step_key="pack-bag")
    bag.update(state="cancelled", reason="stopped_by_staff")
    before = _written()
    response = client.post(_move_url(planned.episode), move | {"digest": shown})
    assert "The plan has changed since you looked" in response.content.decode()
    assert response.context["digest"] != shown
    assert _written() == before
    assert Episode.objects.get(pk=planned.episode.pk).surgery_on == planned.surgery_on


def test_a_step_that_asks_is_sent_again_only_where_staff_say_so(planned, sign_in) -> None:
    client = sign_in(planned.clerk)
    url = reverse("admin:episode_date", args=[planned.episode.pk])
    first = {"anchor": "admission", "on": "2026-04-27", "reason": "", "ticket": "c" * 32}
    client.post(url, first | {"digest": client.post(url, first).context["digest"]})
    row = Reminder.objects.get(episode=planned.episode, step_key="come-in")
    make_message(row.recipient, planned.clinic, [row])
    second = first | {"on": "2026-04-26", "ticket": "d" * 32}
    shown = client.post(url, second)
    assert 'name="choice-already_sent-come-in"' in shown.content.decode()
    again = second | {"digest": shown.context["digest"], "choice-already_sent-come-in": "send"}
    client.post(url, again)
    rows = Reminder.objects.filter(episode=planned.episode, step_key="come-in").order_by(
        "correction"
    )
    assert [(row.correction, row.state) for row in rows] == [(0, "sent"), (1, "planned")]


@pytest.mark.parametrize(
    ("anchor", "on", "words"),
    [
        ("surgery", "2026-04-27", "This is the day it has now."),
        ("surgery", "2026-01-05", "lies too far back"),
        ("surgery", "2031-01-05", "more than two years ahead"),
        ("discharge", "2026-04-01", "Nobody goes home before the day of surgery."),
        ("admission", "2026-05-01", "cannot be after the day of surgery"),
        ("milestone:full_weight", "2026-06-01", "confirmed when it is reached"),
    ],
)
def test_a_date_that_cannot_be_right_is_refused(planned, sign_in, anchor, on, words) -> None:
    page = {"surgery": "episode_move", "milestone:full_weight": "episode_milestone"}.get(
        anchor, "episode_date"
    )
    url = reverse(f"admin:{page}", args=[planned.episode.pk])
    response = sign_in(planned.manager).post(url, {"anchor": anchor, "on": on, "reason": ""})
    assert words in response.content.decode()


def test_the_page_for_dates_does_not_move_surgery(planned, sign_in) -> None:
    url = reverse("admin:episode_date", args=[planned.episode.pk])
    response = sign_in(planned.nurse).post(
        url, {"anchor": "surgery", "on": "2026-05-11", "digest": "x"}
    )
    assert "Please choose one of those that are shown." in response.content.decode()


def test_a_milestone_that_is_reached_dates_the_steps_that_wait_for_it(planned, sign_in) -> None:
    client = sign_in(planned.physiotherapist)
    url = reverse("admin:episode_milestone", args=[planned.episode.pk])
    sent = {"anchor": "milestone:full_weight", "on": "2026-03-02", "reason": "", "ticket": "e" * 32}
    client.post(url, sent | {"digest": client.post(url, sent).context["digest"]})
    assert Reminder.objects.filter(episode=planned.episode, step_key="full-weight").count() == 1


# --- The operation is done ---


@pytest.mark.parametrize("days", [0, 1])
def test_surgery_that_took_place_is_entered_and_nobody_is_told(
    planned, sign_in, stopped_clock, days
) -> None:
    stopped_clock.move_to(datetime.combine(planned.surgery_on, time(15), UTC) + timedelta(days=1))
    client, url = sign_in(planned.nurse), reverse("admin:episode_done", args=[planned.episode.pk])
    took_place = planned.surgery_on + timedelta(days=days)
    assert client.get(url).context["form"]["on"].value() == planned.surgery_on

    confirmed(
        client, url, {"anchor": "surgery", "on": str(took_place), "reason": "", "ticket": "d"}
    )

    episode = Episode.objects.get(pk=planned.episode.pk)
    assert (episode.surgery_on, episode.status) == (took_place, Episode.Status.ACTIVE)
    assert not Reminder.objects.filter(kind=Reminder.Kind.SURGERY_MOVED).exists()


def test_surgery_that_lies_ahead_did_not_take_place(planned, sign_in) -> None:
    url = reverse("admin:episode_done", args=[planned.episode.pk])
    answer = sign_in(planned.nurse).post(url, {"anchor": "surgery", "on": str(planned.surgery_on)})
    assert "The day lies in the future." in answer.content.decode()


# --- Ending ----------------------------------------------------------------------------------


def test_cancelling_asks_why_then_drops_the_plan_and_tells_once(planned, sign_in) -> None:
    client = sign_in(planned.surgeon)
    url = reverse("admin:episode_cancel", args=[planned.episode.pk])
    assert "still planned" in client.get(url).content.decode()
    assert "Please fill this in." in client.post(url, {"reason": ""}).content.decode()
    assert Episode.objects.get(pk=planned.episode.pk).is_open
    visit = make_appointment(planned.episode)
    shown = client.post(url, {"reason": "Not needed", "ticket": "f" * 32})
    assert f"Called off and told: {visit}" in shown.content.decode()
    assert Episode.objects.get(pk=planned.episode.pk).is_open
    for _press in range(2):
        confirmed(client, url, {"reason": "Not needed", "ticket": "f" * 32})
    assert Episode.objects.get(pk=planned.episode.pk).status == Episode.Status.CANCELLED
    left = Reminder.objects.filter(episode=planned.episode).open()
    told = {Reminder.Kind.SURGERY_CANCELLED, Reminder.Kind.VISIT_CANCELLED}
    assert {row.kind for row in left} == told


def test_finishing_stops_what_is_left(planned, sign_in) -> None:
    client = sign_in(planned.nurse)
    url = reverse("admin:episode_finish", args=[planned.episode.pk])
    shown = client.get(url)
    assert (
        shown.context["counts"]["dropped"]
        == Reminder.objects.filter(episode=planned.episode).open().count()
    )
    confirmed(client, url, {"ticket": "1"})
    assert Episode.objects.get(pk=planned.episode.pk).status == Episode.Status.FINISHED
    assert not Reminder.objects.filter(episode=planned.episode).open().exists()


def test_a_closed_episode_takes_no_more_dates(planned, move, sign_in) -> None:
    Episode.objects.filter(pk=planned.episode.pk).update(status=Episode.Status.FINISHED)
    client = sign_in(planned.clerk)
    assert (
        "There is nothing to enter here" in client.get(_move_url(planned.episode)).content.decode()
    )
    shown = client.post(_move_url(planned.episode), move)
    client.post(_move_url(planned.episode), move | {"digest": shown.context.get("digest", "")})
    assert Episode.objects.get(pk=planned.episode.pk).surgery_on == planned.surgery_on


def test_previews_of_many_kinds_leave_answers_and_plans_alone(planned, sign_in) -> None:
    reconcile(planned.episode, now=planned.now)
    before = list(Reminder.objects.order_by("pk").values())
    client = sign_in(planned.manager)
    for page in (
        "episode_move",
        "episode_date",
        "episode_milestone",
        "episode_cancel",
        "episode_finish",
    ):
        client.get(reverse(f"admin:{page}", args=[planned.episode.pk]))
    assert list(Reminder.objects.order_by("pk").values()) == before
    assert StepResponse.objects.count() == 0
