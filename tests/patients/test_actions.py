"""What changes a record: it makes sense, it is audited, and it asks for a new plan."""

from datetime import date, time, timedelta

import pytest
from django.core.exceptions import ValidationError

from patients import actions
from patients.models import (
    Appointment,
    Episode,
    ImagingRequest,
    Patient,
    PlanRequest,
    RelatedPerson,
)
from portal.actions import save_setting
from portal.models import AuditEvent, User
from tests.factories import NOW, make_appointment, make_location, make_user, make_version

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


@pytest.fixture
def p(people):
    """Everyone, with nothing left to plan and an empty audit trail to look at."""
    PlanRequest.objects.all().delete()
    return people


def asked():
    return set(PlanRequest.objects.values_list("reason", "episode"))


def verbs():
    return list(AuditEvent.objects.order_by("id").values_list("verb", flat=True))


def by_clerk(p, **fields):
    return {"by": p.clerk, "now": p.now} | fields


# Patients


def register(p, **fields):
    given = {
        "clinic": p.clinic,
        "record_number": "N-1",
        "given_name": "Nia",
        "family_name": "New",
        "birth_date": date(1980, 1, 1),
    }
    return actions.register_patient(**by_clerk(p, **(given | fields)))


def test_registering_makes_the_account_and_the_audit_row(p):
    patient = register(p, email="Nia@Example.com")

    assert (patient.user.email, patient.user.name) == ("nia@example.com", "Nia New")
    assert not patient.user.has_usable_password()
    event = AuditEvent.objects.latest("id")
    assert (event.verb, event.patient_id, event.actor, event.clinic) == (
        "patient.register", patient.id, p.clerk, p.clinic,
    )  # fmt: skip


def test_a_record_number_is_one_patients_at_a_clinic(p):
    with pytest.raises(ValidationError, match="H-001"):
        register(p, record_number="H-001")

    assert register(p, clinic=p.other_clinic, record_number="H-001").pk


def test_nobody_signs_in_as_two_patients(p):
    with pytest.raises(ValidationError, match="Another patient signs in"):
        register(p, email="PAT@example.com")

    assert not Patient.objects.filter(record_number="N-1").exists()


def test_a_parent_can_become_a_patient_with_the_same_login(p):
    assert register(p, email="maya@example.com").user == p.mother


def test_a_change_is_audited_with_before_and_after_and_asks_for_a_plan(p):
    before = len(verbs())

    actions.update_patient(**by_clerk(p, patient=p.patient, uses_nicotine=False, drives=True))

    event = AuditEvent.objects.latest("id")
    assert (event.before, event.after) == ({"uses_nicotine": True}, {"uses_nicotine": False})
    assert asked() == {("patient.update", p.episode.id)}
    assert len(verbs()) == before + 1


def test_no_change_leaves_no_trace(p):
    before = verbs()

    actions.update_patient(**by_clerk(p, patient=p.patient, uses_nicotine=True))

    assert (verbs(), asked()) == (before, set())


def test_a_closed_episode_is_not_planned_anew(p):
    actions.close_episode(**by_clerk(p, episode=p.episode, status="finished"))
    PlanRequest.objects.all().delete()

    actions.update_patient(**by_clerk(p, patient=p.patient, drives=False))

    assert asked() == set()


def test_another_address_is_the_accounts_new_one(p):
    actions.set_email(**by_clerk(p, patient=p.patient, email=" New@Example.com "))

    p.patient.user.refresh_from_db()
    assert p.patient.user.email == "new@example.com"
    assert AuditEvent.objects.latest("id").before == {"email": "pat@example.com"}


def test_an_address_of_somebody_else_is_refused(p):
    with pytest.raises(ValidationError, match="belongs to another account"):
        actions.set_email(**by_clerk(p, patient=p.patient, email="otto@example.com"))

    assert User.objects.get(pk=p.patient.user_id).email == "pat@example.com"


def test_a_child_gets_an_own_account_but_not_another_patients(p):
    with pytest.raises(ValidationError, match="Another patient signs in"):
        actions.set_email(**by_clerk(p, patient=p.child, email="sasha@example.com"))
    p.child.refresh_from_db()

    actions.set_email(**by_clerk(p, patient=p.child, email="kim@example.com"))

    assert p.child.user.email == "kim@example.com"


def test_a_death_calls_off_what_lies_ahead_and_asks_for_a_plan(p):
    visit, past = make_appointment(p.episode), make_appointment(p.episode, on=date(2026, 2, 1))

    actions.mark_deceased(**by_clerk(p, patient=p.patient, on=TODAY))

    assert [Appointment.objects.get(pk=each.pk).status for each in (visit, past)] == [
        "cancelled",
        "booked",
    ]
    assert not ImagingRequest.objects.to_book().filter(episode=p.episode).exists()
    assert ("patient.deceased", p.episode.id) in asked()
    assert not Patient.objects.contactable().filter(pk=p.patient.pk).exists()


def test_a_death_to_come_is_a_slip(p):
    with pytest.raises(ValidationError, match="still to come"):
        actions.mark_deceased(**by_clerk(p, patient=p.patient, on=TODAY + timedelta(days=1)))


# Carers


def link(p, **fields):
    given = {
        "patient": p.patient,
        "email": "new@example.com",
        "name": "New Carer",
        "relationship": "aunt",
    }
    return actions.link_carer(**by_clerk(p, **(given | fields)))


def test_a_carers_access_starts_on_the_clinics_day(p):
    p.clinic.time_zone = "Pacific/Auckland"
    p.patient.clinic = p.clinic

    made = link(p, now=NOW.replace(hour=12))

    assert made.starts_on == TODAY + timedelta(days=1)
    assert asked() == {("carer.link", p.episode.id)}


def test_access_is_given_once(p):
    with pytest.raises(ValidationError, match="already has access"):
        link(p, email="carl@example.com")


def test_access_that_ran_out_by_its_date_does_not_bar_new_access(p):
    lapsed = link(p, ends_on=TODAY)

    again = link(p)

    lapsed.refresh_from_db()
    assert (lapsed.ended_at, again.is_live(TODAY)) == (NOW, True)


def test_nobody_is_their_own_carer(p):
    with pytest.raises(ValidationError, match="own address"):
        link(p, email="pat@example.com")


def test_ending_access_twice_changes_nothing(p):
    row = RelatedPerson.objects.get(patient=p.patient, user=p.carer)
    actions.end_carer(**by_clerk(p, link=row))
    events = verbs()

    actions.end_carer(**by_clerk(p, link=row))

    assert (verbs(), asked()) == (events, {("carer.end", p.episode.id)})


# Episodes


def test_an_episode_opens_with_its_dates_its_x_rays_and_a_request_for_a_plan(p):
    episode = actions.open_episode(
        **by_clerk(
            p,
            patient=p.other_patient,
            version=p.adult_version,
            side="left",
            surgery_on=p.surgery_on,
        )
    )

    assert episode.anchors == {"decision": TODAY, "surgery": p.surgery_on}
    assert [row.window_from for row in episode.imaging_requests.all()] == [
        p.surgery_on + timedelta(weeks=6)
    ]
    assert asked() == {("episode.open", episode.id)}


def test_only_an_approved_pathway_of_the_clinic_can_be_booked(p):
    draft = make_version(p.clinic, {"a": {}}, is_approved=False)
    for version in (draft, p.far_version):
        with pytest.raises(ValidationError, match="Only an approved pathway"):
            actions.open_episode(
                **by_clerk(
                    p, patient=p.patient, version=version, side="left", surgery_on=p.surgery_on
                )
            )


@pytest.mark.parametrize("on", [date(1026, 4, 27), date(9999, 12, 31)])
def test_a_year_that_cannot_be_meant_is_refused(p, on):
    with pytest.raises(ValidationError, match="check the year"):
        actions.set_anchor(**by_clerk(p, episode=p.episode, anchor="surgery", on=on))
    with pytest.raises(ValidationError, match="check the year"):
        actions.open_episode(
            **by_clerk(p, patient=p.patient, version=p.adult_version, side="left", surgery_on=on)
        )


@pytest.mark.parametrize(
    "anchor", ["appointment", "birthday", "milestone:", "milestone:Full Weight"]
)
def test_what_is_no_date_of_an_episode_is_refused(p, anchor):
    with pytest.raises(ValidationError):
        actions.set_anchor(**by_clerk(p, episode=p.episode, anchor=anchor, on=TODAY))


def test_a_date_is_set_moved_and_cleared_with_its_history(p):
    for on in (date(2026, 5, 1), date(2026, 5, 2), None):
        actions.set_anchor(
            **by_clerk(p, episode=p.episode, anchor="discharge", on=on, reason="ward")
        )

    events = AuditEvent.objects.filter(verb="episode.set_anchor").order_by("id")
    assert [(e.before["discharge"], e.after["discharge"]) for e in events] == [
        ("", "2026-05-01"), ("2026-05-01", "2026-05-02"), ("2026-05-02", ""),
    ]  # fmt: skip
    assert "discharge" not in Episode.objects.get(pk=p.episode.pk).anchors


def test_discharge_is_not_before_surgery(p):
    with pytest.raises(ValidationError, match="Discharge cannot be before"):
        actions.set_anchor(
            **by_clerk(
                p, episode=p.episode, anchor="discharge", on=p.surgery_on - timedelta(days=1)
            )
        )
    actions.set_anchor(**by_clerk(p, episode=p.episode, anchor="discharge", on=p.surgery_on))
    with pytest.raises(ValidationError, match="Discharge cannot be before"):
        actions.set_anchor(
            **by_clerk(p, episode=p.episode, anchor="surgery", on=p.surgery_on + timedelta(days=1))
        )


def test_an_episode_is_under_way_from_the_day_of_surgery_and_not_before(p):
    for on, status in (
        (TODAY, "active"),
        (TODAY + timedelta(days=1), "planned"),
        (None, "planned"),
    ):
        actions.set_anchor(**by_clerk(p, episode=p.episode, anchor="surgery", on=on))
        assert Episode.objects.get(pk=p.episode.pk).status == status


def test_dates_of_a_closed_episode_stay(p):
    actions.close_episode(**by_clerk(p, episode=p.episode, status="finished"))

    with pytest.raises(ValidationError, match="closed"):
        actions.set_anchor(**by_clerk(p, episode=p.episode, anchor="surgery", on=p.surgery_on))


def test_cancelling_calls_off_visits_that_lie_ahead_and_x_rays(p):
    visit, past = make_appointment(p.episode), make_appointment(p.episode, on=date(2026, 2, 1))

    actions.close_episode(**by_clerk(p, episode=p.episode, status="cancelled", reason="ill"))

    assert [Appointment.objects.get(pk=each.pk).status for each in (visit, past)] == [
        "cancelled",
        "booked",
    ]
    assert [row.status for row in p.episode.imaging_requests.all()] == ["revoked"]


def test_a_finished_episode_asks_for_no_x_ray_any_more(p):
    actions.close_episode(**by_clerk(p, episode=p.episode, status="finished"))

    assert [row.status for row in p.episode.imaging_requests.all()] == ["revoked"]


def test_closing_twice_changes_nothing(p):
    actions.close_episode(**by_clerk(p, episode=p.episode, status="finished"))
    events = verbs()

    actions.close_episode(**by_clerk(p, episode=p.episode, status="cancelled"))

    assert (verbs(), Episode.objects.get(pk=p.episode.pk).status) == (events, "finished")


def newer(p, **fields):
    steps = {
        "xray-window": {
            "category": "xray",
            "offset_value": 8,
            "offset_unit": "weeks",
            "window_days": 7,
        }
    }
    return make_version(
        p.clinic, steps, **({"pathway": p.adult_version.pathway, "number": 2} | fields)
    )


def test_an_episode_follows_another_version(p):
    version = newer(p)

    actions.follow_version(**by_clerk(p, episode=p.episode, version=version))

    assert Episode.objects.get(pk=p.episode.pk).version == version
    assert asked() == {("episode.follow_version", p.episode.id)}
    event = AuditEvent.objects.latest("id")
    assert (event.before, event.after) == ({"version": 1}, {"version": 2})
    (request,) = p.episode.imaging_requests.all()
    assert (request.step.version, request.window_from) == (
        version,
        p.surgery_on + timedelta(weeks=8),
    )


def test_an_x_ray_booked_under_one_version_is_not_asked_for_again_under_the_next(p):
    request = p.episode.imaging_requests.get()
    book(p, imaging_request=request)

    actions.follow_version(**by_clerk(p, episode=p.episode, version=newer(p)))

    assert [row.status for row in p.episode.imaging_requests.all()] == ["active"]


def test_only_an_approved_version_of_the_same_pathway_can_be_followed(p):
    refused = [newer(p, is_approved=False), make_version(p.clinic, {"a": {}}), p.far_version]
    for version in refused:
        with pytest.raises(ValidationError, match="same pathway"):
            actions.follow_version(**by_clerk(p, episode=p.episode, version=version))


# Visits


def book(p, **fields):
    given = {"episode": p.episode, "kind": "xray", "on": date(2026, 6, 10), "at": time(14)}
    return actions.book_appointment(**by_clerk(p, **(given | fields)))


def status_of(request):
    return ImagingRequest.objects.get(pk=request.pk).status


def test_a_visit_is_booked_at_the_clinics_local_time(p):
    visit = book(p)

    assert (visit.time_zone, visit.starts_at.isoformat()) == (
        "Europe/London",
        "2026-06-10T13:00:00+00:00",
    )
    assert asked() == {("appointment.book", p.episode.id)}


def test_an_x_ray_is_booked_once(p):
    request = p.episode.imaging_requests.get()
    stale = ImagingRequest.objects.get(pk=request.pk)
    visit = book(p, imaging_request=request)

    with pytest.raises(ValidationError, match="booked already"):
        book(p, imaging_request=stale)

    assert ImagingRequest.objects.get(pk=request.pk).appointment == visit


@pytest.mark.django_db(transaction=True)
def test_a_refused_booking_leaves_nothing_behind(p):
    with pytest.raises(ValidationError):
        book(p, imaging_request=p.other_episode.imaging_requests.get())

    assert not Appointment.objects.exists()


def test_what_belongs_to_somebody_else_is_not_booked_with(p):
    with pytest.raises(ValidationError, match="another episode"):
        book(p, imaging_request=p.other_episode.imaging_requests.get())
    with pytest.raises(ValidationError, match="another clinic"):
        book(p, location=make_location(p.other_clinic))


def test_nothing_is_booked_for_a_closed_episode(p):
    actions.close_episode(**by_clerk(p, episode=p.episode, status="finished"))
    p.episode.refresh_from_db()

    with pytest.raises(ValidationError, match="closed"):
        book(p)


def test_every_move_raises_the_sequence_even_from_a_stale_copy(p):
    visit = book(p)
    stale = Appointment.objects.get(pk=visit.pk)
    for copy, hour in ((visit, 15), (stale, 16)):
        actions.move_appointment(
            **by_clerk(p, appointment=copy, on=date(2026, 6, 11), at=time(hour))
        )

    stored = Appointment.objects.get(pk=visit.pk)
    assert (stored.sequence, stored.local_time, stored.uid) == (2, time(16), visit.uid)


@pytest.mark.parametrize("end", [actions.cancel_appointment, actions.mark_missed])
def test_a_visit_that_does_not_happen_puts_its_x_ray_back_on_the_worklist(p, end):
    request = p.episode.imaging_requests.get()
    visit = book(p, imaging_request=request)

    end(**by_clerk(p, appointment=visit))

    assert status_of(request) == "draft"
    assert visit.sequence == 1


def test_an_x_ray_back_on_the_worklist_has_the_window_of_today(p):
    request = p.episode.imaging_requests.get()
    visit = book(p, imaging_request=request)
    on = p.surgery_on + timedelta(days=14)
    actions.set_anchor(**by_clerk(p, episode=p.episode, anchor="surgery", on=on))

    actions.cancel_appointment(**by_clerk(p, appointment=visit))

    assert ImagingRequest.objects.get(pk=request.pk).window_from == on + timedelta(weeks=6)


def test_an_attended_x_ray_is_done_and_stays_done_when_dates_move(p):
    request = p.episode.imaging_requests.get()
    visit = book(p, imaging_request=request)

    actions.mark_attended(**by_clerk(p, appointment=visit))
    actions.set_anchor(
        **by_clerk(p, episode=p.episode, anchor="surgery", on=p.surgery_on + timedelta(days=7))
    )

    assert (visit.status, status_of(request)) == ("fulfilled", "completed")


def test_what_has_ended_does_not_end_again(p):
    visit = book(p)
    actions.cancel_appointment(**by_clerk(p, appointment=visit))
    events, again = verbs(), Appointment.objects.get(pk=visit.pk)

    for act, extra in (
        (actions.cancel_appointment, {}),
        (actions.mark_missed, {}),
        (actions.mark_attended, {}),
        (actions.move_appointment, {"on": date(2026, 7, 1), "at": time(9)}),
    ):
        with pytest.raises(ValidationError, match="not booked any more"):
            act(**by_clerk(p, appointment=again, **extra))

    assert (verbs(), Appointment.objects.get(pk=visit.pk).sequence) == (events, 1)


# Answers, and what a clinic changes


def test_an_answer_is_kept_once_and_can_be_taken_back(p):
    step = p.adult_version.steps.get(key="pack-bag")
    for _ in range(2):
        actions.answer_step(
            episode=p.episode, step=step, occurrence=0, answer="done", by=p.patient.user, now=p.now
        )
    assert p.episode.responses.count() == 1

    actions.withdraw_answer(
        episode=p.episode, step=step, occurrence=0, answer="done", by=p.patient.user
    )

    assert p.episode.responses.count() == 0
    assert verbs()[-2:] == ["step.done", "step.done.withdraw"]


@pytest.mark.parametrize(
    ("field", "value", "replans"),
    [
        ("sending_from", time(9), True),
        ("time_zone", "Europe/Paris", True),
        ("daily_cap", 2, False),
        ("name", "X", False),
    ],
)
def test_a_clinics_hours_replan_its_own_open_episodes_and_nothing_else_does(
    p, field, value, replans
):
    actions.close_episode(**by_clerk(p, episode=p.other_episode, status="finished"))
    PlanRequest.objects.all().delete()
    setattr(p.clinic, field, value)

    save_setting(row=p.clinic, by=p.manager, changed=[field])

    expected = {p.episode.id, p.child_episode.id, p.sibling_episode.id} if replans else set()
    assert {episode for _, episode in asked()} == expected


def test_an_action_that_fails_leaves_no_audit_row(p, monkeypatch):
    before = verbs()
    monkeypatch.setattr("patients.actions.episodes.request_plan", lambda *a, **k: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        actions.set_anchor(**by_clerk(p, episode=p.episode, anchor="discharge", on=p.surgery_on))

    assert verbs() == before
    assert "discharge" not in Episode.objects.get(pk=p.episode.pk).anchors


def test_a_change_that_cannot_be_audited_does_not_happen(p, monkeypatch):
    monkeypatch.setattr("portal.audit.AuditEvent.save", lambda *a, **k: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        actions.update_patient(**by_clerk(p, patient=p.patient, drives=False))

    assert Patient.objects.get(pk=p.patient.pk).drives


def test_an_account_is_found_whatever_its_case(p):
    user = make_user("mixed@example.com")

    assert actions.account_for("MIXED@example.com", name="", clinic=p.clinic) == user
