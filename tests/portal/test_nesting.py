"""Related rows that come along in one query are the rows a prefetch would have fetched."""

from datetime import UTC, datetime

import pytest
from django.db.models import Q

from patients.models import Episode
from portal.nesting import Nested, with_nested
from reminders.inputs import case_of, read_episodes
from tests.factories import make_appointment, make_carer

pytestmark = pytest.mark.django_db


def visits(rows):
    return {row.id: {(each.id, each.kind) for each in row.appointments.all()} for row in rows}


def test_nested_rows_are_those_of_the_row_they_came_with(people, django_assert_num_queries):
    for episode in (people.episode, people.episode, people.other_episode):
        make_appointment(episode)
    wanted = visits(Episode.objects.prefetch_related("appointments"))

    with django_assert_num_queries(1):
        found = visits(with_nested(Episode.objects.all(), Nested("appointments", ("id", "kind"))))

    assert found == wanted
    assert sorted(map(len, found.values())) == [0, 0, 0, 1, 2]


def test_values_are_those_of_the_fields_on_either_database(people):
    visit = make_appointment(people.episode)
    fields = ("id", "local_date", "local_time", "starts_at", "minutes", "episode__id")

    row = with_nested(Episode.objects.all(), Nested("appointments", fields)).get(
        pk=visit.episode_id
    )
    nested = row.appointments.all()[0]

    for name in fields[:-1]:
        assert getattr(nested, name) == getattr(visit, name), name
    assert nested.starts_at == datetime(2026, 6, 10, 13, 30, tzinfo=UTC)
    assert nested.episode.id == visit.episode_id


def test_rows_can_be_left_out(people):
    make_appointment(people.episode)
    kept = make_appointment(people.episode, status="noshow")

    only = Nested("appointments", ("id",), Q(status="noshow"))
    row = with_nested(Episode.objects.all(), only).get(pk=people.episode.pk)

    assert [each.id for each in row.appointments.all()] == [kept.id]


def test_a_relation_over_one_step_and_what_it_points_to(people, django_assert_num_queries):
    link = make_carer(people.other_patient)

    with django_assert_num_queries(1):
        nested = Nested("patient__related_people", ("ends_on", "user__id", "user__is_active"))
        rows = with_nested(Episode.objects.select_related("patient"), nested)
        (found,) = rows.get(pk=people.other_episode.pk).patient.related_people.all()

    assert (found.user, found.user_id, found.user.is_active) == (link.user, link.user_id, True)


def test_a_field_that_was_not_read_is_fetched_when_asked_for(people, django_assert_num_queries):
    visit = make_appointment(people.episode, note="Bring your shoes.")

    rows = with_nested(Episode.objects.all(), Nested("appointments", ("id", "kind")))
    nested = rows.get(pk=people.episode.pk).appointments.all()[0]

    with django_assert_num_queries(1):
        assert nested.note == visit.note


def test_a_case_is_the_same_by_either_way_of_reading(people):
    """The reconciler reads in one query what pages and the simulator prefetch."""
    for episode in people.episodes:
        make_appointment(episode)
        make_appointment(episode, status="cancelled")
        episode.imaging_requests.update(status="active")
    make_carer(people.child, ended_at=people.now)

    for episode in Episode.objects.for_planning():
        (read,) = read_episodes([episode.pk])
        assert as_sets(case_of(read, people.now)) == as_sets(case_of(episode, people.now))


def as_sets(case):
    return [
        case.anchors,
        case.attributes,
        set(case.people),
        set(case.visits),
        case.ended_steps,
        case.holds,
    ]
