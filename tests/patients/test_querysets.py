"""Who sees which records. Every question is asked of every person."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser

from patients.models import Appointment, Episode, ImagingRequest, Patient, RelatedPerson
from tests.factories import NOW, make_appointment, make_carer, make_user

STAFF = ["manager", "surgeon", "nurse", "physiotherapist", "radiographer", "clerk", "auditor"]


def seen(user):
    return {patient.given_name for patient in Patient.objects.visible_to(user)}


def owned(user):
    return {patient.given_name for patient in Patient.objects.own(user)}


@pytest.mark.parametrize("role", STAFF)
def test_staff_see_the_patients_of_their_clinic_and_no_others(people, role):
    user = people.staff[role]

    assert seen(user) == {"Patricia", "Otto", "Kim", "Sasha"}
    assert owned(user) == set()


def test_staff_of_another_clinic_see_their_own(people):
    assert seen(people.other_clerk) == {"Fern"}


@pytest.mark.parametrize(
    ("who", "names"),
    [
        ("carer", {"Patricia"}),
        ("former_carer", set()),
        ("mother", {"Kim", "Sasha"}),
        ("father", {"Kim"}),
        ("nobody", set()),
    ],
)
def test_carers_see_whom_their_access_is_live_for(people, who, names):
    user = getattr(people, who)

    assert (seen(user), owned(user)) == (names, names)


def test_patients_see_themselves(people):
    assert seen(people.patient.user) == {"Patricia"}
    assert seen(people.other_patient.user) == {"Otto"}


def test_a_stranger_and_a_closed_account_see_nothing(people):
    people.clerk.is_active = people.mother.is_active = False
    people.clerk.save()
    people.mother.save()

    for user in (AnonymousUser(), people.clerk, people.mother):
        assert (seen(user), owned(user)) == (set(), set())


def test_a_former_member_of_staff_sees_nothing(people):
    people.clerk.is_staff = False
    people.clerk.save()

    assert seen(people.clerk) == set()


def test_the_operator_sees_every_clinic(people):
    operator = make_user(is_staff=True, is_superuser=True)

    assert len(seen(operator)) == 5


def test_a_nurse_who_is_a_patient_elsewhere_owns_her_own_record_only(people):
    people.far_patient.user = people.nurse
    people.far_patient.save()

    assert owned(people.nurse) == {"Fern"}
    assert seen(people.nurse) == {"Patricia", "Otto", "Kim", "Sasha", "Fern"}


@pytest.mark.parametrize(
    ("fields", "is_live"),
    [
        ({"starts_on": NOW.date()}, True),
        ({"starts_on": NOW.date() + timedelta(days=1)}, False),
        ({"ends_on": NOW.date() + timedelta(days=1)}, True),
        ({"ends_on": NOW.date()}, False),
        ({"ended_at": NOW}, False),
    ],
)
def test_access_by_the_query_is_access_by_the_row(people, fields, is_live):
    link = make_carer(people.patient, **fields)

    assert (seen(link.user) == {"Patricia"}) is is_live
    assert link.is_live(NOW.date()) is is_live
    assert RelatedPerson.objects.live(NOW.date()).filter(pk=link.pk).exists() is is_live


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Pacific/Kiritimati", datetime(2026, 3, 4, 10, tzinfo=UTC), datetime(2026, 3, 6, 10, tzinfo=UTC)),
        ("Europe/London", datetime(2026, 3, 5, 0, tzinfo=UTC), datetime(2026, 3, 7, 0, tzinfo=UTC)),
        ("Pacific/Honolulu", datetime(2026, 3, 5, 10, tzinfo=UTC), datetime(2026, 3, 7, 10, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_access_begins_and_ends_with_the_days_of_the_clinic(
    people, stopped_clock, zone, first, last
):
    people.clinic.time_zone = zone
    people.clinic.save()
    link = make_carer(people.patient, starts_on=date(2026, 3, 5), ends_on=date(2026, 3, 7))

    for moment, is_live in (
        (first - timedelta(minutes=1), False), (first, True), (last - timedelta(minutes=1), True), (last, False),
    ):  # fmt: skip
        stopped_clock.move_to(moment)
        assert (seen(link.user) == {"Patricia"}) is is_live, moment


def test_a_patient_with_two_carers_is_one_row(people):
    make_carer(people.patient)

    assert Patient.objects.visible_to(people.clerk).filter(pk=people.patient.pk).count() == 1


@pytest.mark.parametrize("model", [Episode, Appointment, ImagingRequest, RelatedPerson])
def test_rows_of_a_patient_are_seen_by_who_sees_the_patient(people, model):
    for episode in people.episodes:
        make_appointment(episode)
    everyone = [*people.staff.values(), people.other_clerk, people.patient.user, people.mother, people.father,
                people.carer, people.former_carer, people.nobody, AnonymousUser()]  # fmt: skip

    for user in everyone:
        for rows, scope in (
            (model.objects.visible_to(user), seen(user)),
            (model.objects.own(user), owned(user)),
        ):
            assert {patient_of(row).given_name for row in rows} <= scope
        assert set(model.objects.visible_to(user)) == {
            row for row in model.objects.all() if patient_of(row).given_name in seen(user)
        }


def patient_of(row):
    return row.patient if hasattr(row, "patient") else row.episode.patient


def test_open_booked_and_to_book_are_what_they_say(people):
    visit = make_appointment(people.episode, on=date(2026, 6, 1))
    make_appointment(people.episode, status="cancelled")
    people.other_episode.status = "finished"
    people.other_episode.save()

    assert list(Appointment.objects.booked()) == [visit]
    assert Episode.objects.open().count() == 4
    assert ImagingRequest.objects.to_book().count() == 4


def test_what_planning_needs_comes_in_a_constant_number_of_queries(
    people, django_assert_num_queries
):
    with django_assert_num_queries(7):
        for episode in Episode.objects.for_planning():
            _ = episode.anchors, episode.patient.clinic.zone, episode.patient.user
            _ = [row.kind for row in episode.appointments.all()]
            _ = [row.step.key for row in episode.imaging_requests.all()]
            _ = [row.user.email for row in episode.patient.related_people.all()]
            _ = [row.key for row in episode.version.steps.all()]
            _ = [row.reason for row in episode.holds.all()]
