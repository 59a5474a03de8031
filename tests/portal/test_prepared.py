"""Queries put into SQL once: they find what the same query finds when it is put together anew."""

from datetime import date, timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models.signals import post_init

from patients.models import Appointment, Episode, Patient
from patients.querysets import READER, asked_by, lived_with, patients_lived_with
from portal.prepared import Blank, Listed, Prepared, bring, prepared
from procedures.models import Step
from reminders.reconciler import reconcile
from tests.factories import make_appointment

pytestmark = pytest.mark.django_db
NAME = Blank("name", models.CharField())


def named():
    return Patient.objects.filter(given_name=NAME).order_by().values("id")


def of_name(name):
    rows = Appointment.objects.filter(
        episode__patient__in=Prepared(named, models.UUIDField(), name=name)
    )
    return {row.episode.patient.given_name for row in rows}


@pytest.fixture
def visits(people):
    for episode in people.episodes:
        make_appointment(episode)


def test_each_time_it_has_the_values_of_that_time(visits):
    assert of_name("Otto") == {"Otto"}
    assert of_name("Kim") == {"Kim"}
    assert of_name("' OR 1=1 --") == set()


def test_it_is_put_together_once(visits):
    calls = []

    def rows():
        calls.append(1)
        return named()

    for name in ("Otto", "Kim", "Fern"):
        found = Patient.objects.filter(id__in=Prepared(rows, models.UUIDField(), name=name))
        assert [row.given_name for row in found] == [name]
    assert calls == [1]


def test_it_can_be_turned_round_combined_and_counted(visits):
    kim = Prepared(named, models.UUIDField(), name="Kim")
    otto = Prepared(named, models.UUIDField(), name="Otto")

    assert Patient.objects.exclude(id__in=kim).count() == Patient.objects.count() - 1
    assert Patient.objects.filter(models.Q(id__in=kim) | models.Q(id__in=otto)).count() == 2
    inner = Patient.objects.filter(id__in=kim).values("id")
    assert Appointment.objects.filter(episode__patient__in=inner).count() == 1


def test_a_value_that_is_missing_is_an_error(visits):
    with pytest.raises(KeyError):
        Patient.objects.filter(id__in=Prepared(named, models.UUIDField())).count()


@pytest.mark.parametrize("who", ["patient", "carer", "former_carer", "mother", "father", "nobody"])
@pytest.mark.parametrize("days", [0, 10, 400])
def test_the_gate_opens_for_the_same_people_at_every_moment(people, stopped_clock, who, days):
    people.child.related_people.update(ends_on=people.now.date() + timedelta(days=5))
    user = people.patient.user if who == "patient" else getattr(people, who)
    stopped_clock.shift(timedelta(days=days))

    by_gate = Patient.objects.filter(id__in=patients_lived_with(user))
    one_by_one = [
        row
        for row in Patient.objects.all()
        if row.user_id == user.pk
        or any(
            link.user_id == user.pk and link.is_live((people.now + timedelta(days=days)).date())
            for link in row.related_people.all()
        )
    ]

    assert set(by_gate) == set(one_by_one)


def test_the_gate_names_no_reader_by_itself():
    assert "%s" in str(lived_with().query.get_compiler("default").as_sql()[0])


# --- Whole queries -----------------------------------------------------------------------------

PLACES, BORN = Listed("names", models.CharField()), Blank("born", models.DateField())


@prepared
def _older():
    rows = Patient.objects.filter(given_name__in=PLACES, birth_date__lt=BORN)
    return (
        rows.select_related("clinic", "user").annotate(size=models.F("id")).order_by("given_name")
    )


@prepared
def _values():
    return Patient.objects.filter(given_name__in=PLACES).order_by("id").values_list("id", "user")


def test_a_prepared_query_gives_the_rows_that_django_gives(people, django_assert_num_queries):
    names, born = ["Patricia", "Otto", "Kim"], date(2015, 1, 1)
    ordinary = Patient.objects.filter(given_name__in=names, birth_date__lt=born)
    ordinary = list(ordinary.select_related("clinic", "user").order_by("given_name"))

    with django_assert_num_queries(1):
        found = _older(names=names, born=born)
        related = [(row.clinic.name, row.user.email, row.size) for row in found]

    assert [row.__dict__.keys() - {"size"} for row in found] == [
        row.__dict__.keys() for row in ordinary
    ]
    assert found == ordinary
    assert related == [(row.clinic.name, row.user.email, row.pk) for row in ordinary]
    assert [row.created_at for row in found] == [row.created_at for row in ordinary]
    assert {row._state.db for row in found} == {"default"}


def test_its_rows_can_be_changed_and_saved(people):
    (row,) = _older(names=["Otto"], born=date(2020, 1, 1))
    row.phone = "1"
    row.save()

    assert Patient.objects.get(pk=row.pk).phone == "1"


@pytest.mark.parametrize("names", [[], ["Otto"], ["Otto", "Kim", "' OR 1=1 --"]])
def test_a_list_may_be_of_any_length(people, names):
    ordinary = Patient.objects.filter(given_name__in=names).order_by("id").values_list("id", "user")

    assert _values(names=names) == list(ordinary)


def test_rows_at_hand_answer_all_and_nothing_else(people, django_assert_num_queries):
    bring([people.episode], "appointments", [make_appointment(people.episode)], "episode_id")

    with django_assert_num_queries(0):
        assert [row.kind for row in people.episode.appointments.all()] == ["xray"]
    with pytest.raises(AttributeError):
        people.episode.appointments.filter(kind="xray")


@pytest.mark.parametrize("who", ["patient", "carer", "former_carer", "mother", "nobody"])
def test_a_prepared_gate_is_the_same_gate(people, who):
    user = people.patient.user if who == "patient" else getattr(people, who)

    assert set(_own(**asked_by(user))) == set(Episode.objects.own(user))


def test_a_closed_account_and_a_stranger_pass_no_prepared_gate(people):
    people.mother.is_active = False

    assert _own(**asked_by(people.mother)) == _own(**asked_by(AnonymousUser())) == []


@prepared
def _own():
    return Episode.objects.own(READER)


# --- Rows, read without Django's iterables --------------------------------------------------------

OURS = [
    model
    for app in ("portal", "procedures", "patients", "reminders")
    for model in apps.get_app_config(app).get_models()
]


def same(found, ordinary):
    """Whether two values are equal, and of one kind: 1 is not True, and a text is no day."""
    return found == ordinary and type(found) is type(ordinary)


@pytest.fixture
def lived(people):
    """A patient with a plan, its history and a visit without a place."""
    make_appointment(people.episode, location=None)
    reconcile(people.episode, now=people.now)
    return people


def test_the_objects_of_every_model_are_those_that_django_makes(lived):
    compared = set()
    for model in OURS:
        ask = prepared(lambda model=model: model._base_manager.order_by("pk"))
        for found, ordinary in zip(ask(), model._base_manager.order_by("pk"), strict=True):
            mine, theirs = dict(found.__dict__), dict(ordinary.__dict__)
            state, known = mine.pop("_state"), theirs.pop("_state")
            assert (state.adding, state.db) == (known.adding, known.db) == (False, "default")
            assert state.fields_cache == known.fields_cache == {}
            assert list(mine) == list(theirs)
            assert all(same(mine[name], theirs[name]) for name in theirs), model
            compared.add(model.__name__)
    assert {"User", "Clinic", "Step", "Episode", "Appointment", "Reminder"} < compared


def test_the_values_of_every_column_are_those_that_django_reads(lived):
    for model in OURS:
        ask = prepared(lambda model=model: model._base_manager.order_by("pk").values_list())
        for found, ordinary in zip(
            ask(), model._base_manager.order_by("pk").values_list(), strict=True
        ):
            assert type(found) is tuple
            assert all(map(same, found, ordinary)), model


def test_values_that_the_database_works_out_are_read_as_their_kind_says(lived):
    def rows():
        found = Appointment.objects.values("episode_id").annotate(
            first=models.Min("starts_at"),
            day=models.Max("local_date"),
            is_there=models.Exists(Episode.objects.filter(pk=models.OuterRef("episode_id"))),
        )
        return found.order_by("episode_id").values_list("episode_id", "first", "day", "is_there")

    found, ordinary = prepared(rows)(), list(rows())

    assert found == ordinary
    assert [list(map(type, row)) for row in found] == [list(map(type, row)) for row in ordinary]


def test_one_columns_values_and_what_only_sorts(lived):
    def rows():
        by_length = Patient.objects.extra(select={"of": "LENGTH(given_name)"}, order_by=["of"])
        return by_length.order_by("of", "given_name").values_list("given_name", flat=True)

    assert prepared(rows)() == list(rows())
    conditions = Step.objects.order_by("pk").values_list("condition", flat=True)
    assert prepared(lambda: conditions)() == list(conditions)
    assert any(conditions)


def test_a_column_that_was_left_out_is_fetched_when_it_is_asked_for(
    lived, django_assert_num_queries
):
    row = prepared(lambda: Patient.objects.only("given_name").filter(pk=lived.patient.pk))()[0]

    assert row.get_deferred_fields() >= {"family_name"}
    with django_assert_num_queries(1):
        assert row.family_name == lived.patient.family_name


def test_a_relation_without_a_row_is_none_and_asks_nothing(lived, django_assert_num_queries):
    ask = prepared(lambda: Appointment.objects.select_related("location", "episode__patient"))

    with django_assert_num_queries(1):
        (row,) = ask()
        assert row.location is None
        assert row.episode.patient.given_name == lived.patient.given_name


def test_who_listens_for_new_objects_hears_of_them(lived):
    heard = []
    listen = lambda instance, **_rest: heard.append(instance.pk)  # noqa: E731 - connected by being held
    post_init.connect(listen, sender=Patient)
    try:
        found = prepared(lambda: Patient.objects.order_by("pk"))()
    finally:
        post_init.disconnect(listen, sender=Patient)

    assert heard == [row.pk for row in found]


def test_rows_of_another_kind_are_refused(lived):
    with pytest.raises(TypeError, match="ValuesIterable"):
        prepared(lambda: Patient.objects.values("id"))()
