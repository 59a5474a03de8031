"""Queries that PostgreSQL plans once for a connection, and rows that are deleted straight from their table."""

from types import SimpleNamespace
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, OperationalError, connection, models, transaction
from django.db.models.expressions import RawSQL

from patients.models import Patient, PlanRequest
from portal import kept_plans
from portal.prepared import Blank, Listed, deleting, planned_once, prepared
from portal.statistics import count_rows_of

pytestmark = pytest.mark.django_db


def _named():
    rows = Patient.objects.filter(
        given_name__in=Listed("names", models.CharField()),
        family_name=Blank("family", models.CharField()),
        merged_into=None,
    )
    rows = rows.annotate(all_of_it=RawSQL("'100%%'", []))
    return rows.order_by("given_name").values_list("given_name", "drives", "all_of_it")


class Sql(list):
    """What is asked of the database, question by question."""

    def __call__(self, execute, sql, params, many, context):
        self.append(sql)
        return execute(sql, params, many, context)


@pytest.fixture
def asked():
    sql = Sql()
    with connection.execute_wrapper(sql):
        yield sql


@pytest.fixture
def fresh():
    """A connection that has planned nothing yet."""
    if connection.vendor == "postgresql":
        connection.cursor().execute("DEALLOCATE ALL")
    kept_plans._calls.clear()


def test_it_finds_the_same_each_time_with_the_values_of_that_time(people, fresh):
    query, ordinary = planned_once(_named), prepared(_named)
    for names in (["Kim", "Sasha"], ["Kim"], [], ["' OR 1=1 --"], ["Sasha", "Kim", "Otto"]):
        values = {"names": names, "family": "Kidd"}
        assert query(**values) == ordinary(**values)
    assert query(names=["Kim"], family="Kidd") == [("Kim", people.child.drives, "100%")]


def test_each_question_is_one(people, fresh, asked):
    query = planned_once(_named)

    for _ in range(3):
        query(names=["Kim"], family="Kidd")

    assert len(asked) == 3


@pytest.mark.server
def test_it_is_planned_once_for_a_connection(people, fresh, asked):
    query = planned_once(_named)

    for _ in range(3):
        query(names=["Kim"], family="Kidd")

    name = "tests.portal.test_planned_once._named"
    assert {sql.split(" (")[0] for sql in asked} == {f'EXECUTE "{name}"'}
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements")
        assert cursor.fetchall() == [(name,)]


def _of_key():
    return Patient.objects.filter(pk=Blank("key", models.UUIDField())).values_list("given_name")


@pytest.mark.server
def test_its_plan_is_for_tables_that_have_grown(people, fresh):
    """This one is so small that the server would rather read it from end to end."""
    count_rows_of("patients")
    query, key = planned_once(_of_key), people.child.pk
    assert query(key=key) == [("Kim",)]

    with connection.cursor() as cursor:
        name = "tests.portal.test_planned_once._of_key"
        cursor.execute(f"EXPLAIN EXECUTE \"{name}\" ('{key}')")
        plan = cursor.fetchall()
        assert "Index Scan" in str(plan)
        cursor.execute("SHOW enable_seqscan")
        assert cursor.fetchone() == ("on",)


@pytest.mark.server
def test_it_holds_good_for_the_next_transaction_whatever_became_of_the_last(people, fresh):
    query = planned_once(_named)
    with transaction.atomic():
        query(names=["Kim"], family="Kidd")
        transaction.set_rollback(True)

    assert len(query(names=["Kim"], family="Kidd")) == 1


class Pooled:
    """A connection to a pooler, which cannot know the process that answers."""

    def __init__(self, real):
        self.execute = real.execute
        self.info = SimpleNamespace(backend_pid=real.info.backend_pid + 1)


@pytest.mark.server
def test_behind_a_pooler_no_plan_is_kept(people, fresh):
    pooled = SimpleNamespace(
        vendor="postgresql",
        connection=Pooled(connection.connection),
        wrap_database_errors=connection.wrap_database_errors,
    )
    asked = SimpleNamespace(execute=lambda sql, parameters: asked.__dict__.update(sql=sql))

    kept_plans.execute(pooled, asked, "one", "SELECT %s", [1])

    assert asked.sql == "SELECT %s"


@pytest.mark.server
def test_a_plan_that_is_gone_is_missed_once(people, fresh, asked):
    """As behind a pooler that names the process of the server which it has at hand."""
    query = planned_once(_of_key)
    query(key=people.child.pk)
    connection.connection.execute("DEALLOCATE ALL")

    with pytest.raises(DatabaseError), transaction.atomic():
        query(key=people.child.pk)

    assert query(key=people.child.pk) == [("Kim",)]
    assert asked[-1].startswith("SELECT")


@pytest.mark.server
@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_is_done_without_at_once(fresh, asked):
    query = planned_once(_of_key)
    query(key=UUID(int=1))
    connection.connection.execute("DEALLOCATE ALL")

    assert query(key=UUID(int=1)) == []

    assert asked[-1].startswith("SELECT")


@pytest.mark.server
@pytest.mark.parametrize("scans", ["on", "off"])
def test_the_connection_is_left_as_it_was(people, fresh, scans):
    with connection.cursor() as cursor:
        cursor.execute(f"SET enable_seqscan = {scans}")
        planned_once(_of_key)(key=people.child.pk)
        cursor.execute("SHOW enable_seqscan")
        assert cursor.fetchone() == (scans,)
        cursor.execute("RESET enable_seqscan")


@pytest.mark.server
def test_a_plan_that_could_not_be_made_beforehand_is_made_when_it_is_needed(
    people, fresh, monkeypatch
):
    monkeypatch.setattr(kept_plans, "_plan", lambda *args: 1 / 0)
    query = planned_once(_of_key)
    with pytest.raises(ZeroDivisionError):
        query(key=people.child.pk)

    assert query(key=people.child.pk) == [("Kim",)]


@pytest.mark.server
def test_a_server_that_does_not_answer_is_djangos_kind_of_error(fresh):
    silent = Pooled(connection.connection)

    def fail(sql):
        raise psycopg.OperationalError("query_wait_timeout")

    silent.execute = fail
    faulty = SimpleNamespace(
        vendor="postgresql", connection=silent, wrap_database_errors=connection.wrap_database_errors
    )

    with pytest.raises(OperationalError):
        kept_plans.is_kept(faulty)


@deleting
def _asked_for():
    return PlanRequest.objects.filter(episode__in=Listed("episodes", models.UUIDField()))


def test_rows_are_deleted_and_counted_in_one_question(people, asked):
    ours, others = people.episode, people.other_episode
    before = PlanRequest.objects.filter(episode=ours).count()
    asked.clear()

    assert _asked_for(episodes=[ours.pk]) == before > 0

    assert len(asked) == 1
    assert _asked_for(episodes=[]) == 0
    assert not PlanRequest.objects.filter(episode=ours).exists()
    assert PlanRequest.objects.filter(episode=others).exists()
