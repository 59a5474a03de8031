"""What PostgreSQL knows of tables that were filled in one long transaction."""

import threading

import pytest
from django.db import connection, transaction

from portal.models import Clinic
from portal.statistics import count_rows_of
from procedures.loading import load_catalogue
from procedures.models import Fact
from tests.factories import make_clinic

pytestmark = [pytest.mark.server, pytest.mark.django_db(transaction=True)]


def known_rows(model):
    """How many rows PostgreSQL thinks there are; -1 where it has never looked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::int FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table]
        )
        return cursor.fetchone()[0]


def look_from_elsewhere(model):
    """As PostgreSQL's own process does it, at any moment."""

    def look():
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {model._meta.db_table}")
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(30)


def test_who_looks_while_rows_are_being_written_finds_none_and_is_put_right():
    with transaction.atomic():
        for number in range(5):
            make_clinic(f"Clinic {number}")
        look_from_elsewhere(Clinic)
        assert known_rows(Clinic) == 0

        count_rows_of("portal")

    assert known_rows(Clinic) == 5


def test_a_loaded_catalogue_is_known_by_its_size():
    load_catalogue()

    assert known_rows(Fact) == Fact.objects.count() > 100
