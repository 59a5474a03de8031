"""The addresses that mails name are those that the portal serves; and naming them loads no page of it."""

from uuid import uuid4

import pytest
from django.core import signing
from django.urls import reverse

from reminders import addresses, unsubscribe


def test_the_addresses_are_those_that_are_served(settings):
    key = uuid4()

    assert addresses.why(key) == settings.BASE_URL + reverse("reminders:why", args=[key])
    assert addresses.unsubscribe("a:b-c_D") == settings.BASE_URL + reverse(
        "reminders:unsubscribe", args=["a:b-c_D"]
    )


def token_of(link: str) -> str:
    """The signed part of a link."""
    return link.rstrip("/").rpartition("/")[2]


def test_a_link_is_signed_as_django_signs(settings, stopped_clock):
    key = uuid4()

    token = token_of(unsubscribe.link(key, "xray"))
    assert token == signing.dumps([str(key), "xray"], salt="reminders.unsubscribe")


def test_a_link_made_under_an_older_key_is_still_known(settings):
    key, old = uuid4(), settings.SECRET_KEY
    token = token_of(unsubscribe.link(key, "xray"))

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key that is long enough", [old]
    assert unsubscribe.read(token) == (key, "xray")
    assert token_of(unsubscribe.link(key, "xray")) != token
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ValueError, match="not made by us"):
        unsubscribe.read(token)
