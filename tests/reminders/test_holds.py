"""Stopping part of a plan and letting it go on, postponing surgery, and choosing otherwise in a diff: as pages."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from patients.models import Hold
from portal.models import AuditEvent
from reminders import actions
from reminders.models import Reminder, Suppression
from reminders.reconciler import preview, reconcile
from tests.factories import make_message


def url(page: str, row: Any) -> str:
    return reverse(f"admin:{page}", args=[row.pk])


def rows(episode, **about):
    return Reminder.objects.filter(episode=episode, **about)


def states(episode, **about) -> set[str]:
    return set(rows(episode, **about).values_list("state", flat=True))


def place(client, episode, what: str, **more: str) -> Any:
    """Fill in the form, and confirm what it shows."""
    asked = {"what": what, "reason": "Wound is open.", "ticket": what.ljust(8, "x"), **more}
    shown = client.post(url("episode_hold", episode), asked)
    return client.post(url("episode_hold", episode), asked | {"digest": shown.context["digest"]})


# --- Holds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "stopped", "goes_on"),
    [
        ("step:pack-bag", {"step_key": "pack-bag"}, {"step_key": "insurer"}),
        ("category:smoking_cessation", {"category": "smoking_cessation"}, {"step_key": "pack-bag"}),
    ],
)
def test_part_of_a_plan_is_stopped_and_the_rest_goes_on(
    planned, sign_in, what, stopped, goes_on
) -> None:
    client = sign_in(planned.nurse)
    assert "planned" in states(planned.episode, **stopped)
    place(client, planned.episode, what)
    assert "planned" not in states(planned.episode, **stopped)
    assert "planned" in states(planned.episode, **goes_on)
    assert Hold.objects.get().reason == "Wound is open."
    assert AuditEvent.objects.get(verb="hold.place").reason == "Wound is open."
    assert "Wound is open." in client.get(url("patient_page", planned.patient)).content.decode()


def test_showing_what_changes_writes_nothing(planned, sign_in) -> None:
    before = list(rows(planned.episode).order_by("pk").values())
    answer = sign_in(planned.nurse).post(
        url("episode_hold", planned.episode), {"what": "*", "reason": "x"}
    )
    assert answer.context["counts"]["dropped"] > 5
    assert list(rows(planned.episode).order_by("pk").values()) == before
    assert not Hold.objects.exists()


def test_pausing_everything_and_letting_it_go_on_brings_the_plan_back(planned, sign_in) -> None:
    before = set(rows(planned.episode, state="planned").values_list("step_key", "due_at"))
    client = sign_in(planned.nurse)
    place(client, planned.episode, "*")
    assert "planned" not in states(planned.episode)
    hold = Hold.objects.get()
    shown = client.get(url("hold_lift", hold))
    client.post(url("hold_lift", hold), {"digest": shown.context["digest"], "ticket": "l" * 8})
    assert set(rows(planned.episode, state="planned").values_list("step_key", "due_at")) == before
    hold.refresh_from_db()
    assert (hold.lifted_by, hold.lifted_at) == (planned.nurse, planned.now)


def test_a_hold_outlives_planning_and_moving(planned) -> None:
    actions.hold(
        episode=planned.episode, step_key="pack-bag", by=planned.nurse, now=planned.now, reason="x"
    )
    actions.move_anchor(
        episode=planned.episode, anchor="surgery", on=planned.surgery_on + timedelta(days=7),
        by=planned.clerk, now=planned.now,
    )  # fmt: skip
    assert "planned" not in states(planned.episode, step_key="pack-bag")


def test_the_same_is_not_stopped_twice(planned, sign_in) -> None:
    client = sign_in(planned.nurse)
    place(client, planned.episode, "*")
    asked = {"what": "*", "reason": "x", "ticket": "another"}
    shown = client.post(url("episode_hold", planned.episode), asked)
    digest = shown.context["digest"]
    again = client.post(url("episode_hold", planned.episode), asked | {"digest": digest})
    assert "This is stopped already." in again.content.decode()
    assert Hold.objects.count() == 1
    with pytest.raises(ValidationError):
        actions.hold(episode=planned.episode, by=planned.nurse, now=planned.now, reason="x")


def test_a_hold_of_another_clinic_is_missing(planned, sign_in) -> None:
    actions.hold(episode=planned.far_episode, by=planned.other_manager, now=planned.now, reason="x")
    assert sign_in(planned.manager).get(url("hold_lift", Hold.objects.get())).status_code == 404


# --- Postponing ------------------------------------------------------------------------------


def postpone(client, episode) -> Any:
    asked = {"reason": "No bed.", "ticket": "p" * 8}
    shown = client.post(url("episode_postpone", episode), asked)
    return client.post(
        url("episode_postpone", episode), asked | {"digest": shown.context["digest"]}
    )


def test_surgery_is_postponed_and_people_are_told_once(planned, sign_in) -> None:
    postpone(sign_in(planned.surgeon), planned.episode)
    assert not planned.episode.anchor_dates.filter(anchor="surgery").exists()
    assert "planned" not in states(planned.episode, step_key="pack-bag")
    told = rows(planned.episode, kind="surgery_postponed")
    assert set(told.values_list("recipient", flat=True)) == {planned.patient.user.pk}
    assert told.get().context == {"old": str(planned.surgery_on)}


def test_the_new_date_of_a_postponed_operation_is_told(planned, sign_in) -> None:
    postpone(sign_in(planned.surgeon), planned.episode)
    notice = rows(planned.episode, kind="surgery_postponed").get()
    make_message(planned.patient.user, planned.clinic, [notice])
    later = planned.now + timedelta(days=3)
    on = planned.surgery_on + timedelta(days=30)
    actions.move_anchor(
        episode=planned.episode, anchor="surgery", on=on, by=planned.clerk, now=later
    )
    moved = rows(planned.episode, kind="surgery_moved").get()
    assert moved.context == {"old": str(planned.surgery_on), "new": str(on)}


def test_back_to_the_old_date_before_anybody_was_told_tells_nobody(planned) -> None:
    for on in (None, planned.surgery_on):
        actions.move_anchor(
            episode=planned.episode, anchor="surgery", on=on, by=planned.clerk, now=planned.now
        )
    notices = rows(planned.episode).exclude(kind="step")
    assert set(notices.values_list("kind", "state")) == {("surgery_postponed", "cancelled")}


def test_back_to_the_old_date_after_people_were_told_tells_them(planned) -> None:
    move = {"episode": planned.episode, "anchor": "surgery", "by": planned.clerk}
    actions.move_anchor(**move, on=None, now=planned.now)
    make_message(
        planned.patient.user, planned.clinic, rows(planned.episode, kind="surgery_postponed")
    )
    actions.move_anchor(**move, on=planned.surgery_on, now=planned.now + timedelta(days=1))
    assert states(planned.episode, kind="surgery_moved") == {"planned"}


# --- Choosing otherwise in the diff ----------------------------------------------------------


def move(client, episode, on: date, **choices: str) -> Any:
    asked = {"anchor": "surgery", "on": str(on), "ticket": f"{on}"}
    shown = client.post(url("episode_move", episode), asked)
    confirmed = asked | {"digest": shown.context["digest"], **choices}
    return client.post(url("episode_move", episode), confirmed)


def test_one_step_keeps_its_day_while_the_others_move(planned, sign_in) -> None:
    old = rows(planned.episode, step_key="pack-bag").get().due_at
    on = planned.surgery_on + timedelta(days=14)
    move(sign_in(planned.manager), planned.episode, on, **{"choice-moved-pack-bag": "keep"})
    row = rows(planned.episode, step_key="pack-bag").get()
    assert (row.due_at, row.is_pinned, row.state) == (old, True, "planned")
    assert rows(planned.episode, step_key="day-before").get().local_date == on - timedelta(days=1)
    assert AuditEvent.objects.get(verb="episode.override").after == {"moved: pack-bag": "keep"}
    assert preview(planned.episode, now=planned.now).is_empty
    assert rows(planned.episode, kind="surgery_moved").count() == 1


def test_one_step_is_dropped_for_good(planned, sign_in) -> None:
    on = planned.surgery_on + timedelta(days=14)
    move(sign_in(planned.manager), planned.episode, on, **{"choice-moved-pack-bag": "drop"})
    row = rows(planned.episode, step_key="pack-bag").get()
    assert (row.state, row.reason) == ("cancelled", "stopped_by_staff")
    reconcile(planned.episode, now=planned.now)
    row.refresh_from_db()
    assert row.state == "cancelled"


def test_what_is_now_too_late_is_sent_all_the_same(planned, sign_in) -> None:
    on = planned.now.date() + timedelta(days=1)
    late = rows(planned.episode, step_key="stop-smoking").order_by("-occurrence").first()
    move(sign_in(planned.manager), planned.episode, on, **{"choice-too_late-stop-smoking": "send"})
    sent = rows(planned.episode, step_key="stop-smoking", is_pinned=True)
    assert late is not None
    assert set(sent.values_list("state", "due_at")) == {("planned", planned.now)}
    reconcile(planned.episode, now=planned.now + timedelta(minutes=5))
    assert set(sent.values_list("state", flat=True)) == {"planned"}


def test_a_choice_that_is_not_offered_changes_nothing(planned, sign_in) -> None:
    on = planned.surgery_on + timedelta(days=14)
    move(sign_in(planned.manager), planned.episode, on, **{"choice-moved-pack-bag": "send"})
    assert rows(planned.episode, step_key="pack-bag").get().local_date == on - timedelta(days=2)
    assert not AuditEvent.objects.filter(verb="episode.override").exists()


def test_what_is_pinned_goes_with_the_episode(planned, sign_in) -> None:
    on = planned.surgery_on + timedelta(days=14)
    move(sign_in(planned.manager), planned.episode, on, **{"choice-moved-pack-bag": "keep"})
    actions.cancel_surgery(episode=planned.episode, by=planned.clerk, now=planned.now, reason="x")
    assert states(planned.episode, step_key="pack-bag") == {"cancelled"}


# --- Suppressions ----------------------------------------------------------------------------


def test_lifting_a_suppression_is_audited_for_each_patient_once(planned) -> None:
    row = Suppression.objects.create(address=planned.mother.email, reason="bounced")
    about = {"suppression": row, "by": planned.clerk, "now": planned.now, "reason": "New mailbox."}
    assert [actions.lift_suppression(**about), actions.lift_suppression(**about)] == [True, False]
    patients = AuditEvent.objects.filter(verb="suppression.lift").values_list(
        "patient_id", flat=True
    )
    assert set(patients) == {planned.child.pk, planned.sibling.pk}


def test_what_nothing_happens_to_stands_last(planned, sign_in) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="insurer")
    make_message(planned.patient.user, planned.clinic, [row])
    page = sign_in(planned.nurse).post(
        reverse("admin:episode_hold", args=[planned.episode.pk]), {"what": "*", "reason": "Flood"}
    )
    found = [(section.change, section.is_quiet) for section in page.context["sections"]]
    assert found[0] == ("dropped", False)
    assert ("already_sent", True) in found
    assert [quiet for _change, quiet in found] == sorted(quiet for _change, quiet in found)
