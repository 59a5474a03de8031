"""Addresses of many rows, put together without asking Django for each."""

from uuid import uuid4

import pytest
from django.urls import NoReverseMatch, reverse, set_script_prefix

from portal.row_addresses import address


@pytest.mark.parametrize(
    "view", ["patients:appointment", "reminders:why", "patients:appointment_calendar"]
)
def test_it_is_what_django_gives(view):
    for pk in (uuid4(), uuid4()):
        assert address(view, pk) == reverse(view, args=[pk])


def test_it_follows_where_the_portal_is_mounted():
    pk = uuid4()
    assert address("reminders:why", pk) == f"/why/{pk}/"
    set_script_prefix("/portal/")
    try:
        assert address("reminders:why", pk) == f"/portal/why/{pk}/"
    finally:
        set_script_prefix("/")


@pytest.mark.parametrize("view", ["reminders:today", "reminders:nowhere"])
def test_a_view_of_no_row_is_refused(view):
    with pytest.raises(NoReverseMatch):
        address(view, uuid4())
