"""Addresses that are worked out once are the ones that Django gives."""

import re
from uuid import UUID, uuid4

import pytest
from django.template import engines
from django.urls import NoReverseMatch, get_resolver, reverse, set_script_prefix
from django.urls.resolvers import URLPattern

from portal.addresses import address


def views(patterns, path="", space=""):
    """Every view of the site with the whole of its route, by its full name."""
    for one in patterns:
        route = f"{path}{one.pattern}"
        if isinstance(one, URLPattern):
            if one.name:
                yield f"{space}{one.name}", route
        else:
            inner = f"{space}{one.namespace}:" if one.namespace else space
            yield from views(one.url_patterns, route, inner)


def of_keys_alone():
    """The views whose addresses are named by nothing but keys, with how many."""
    for name, route in views(get_resolver().url_patterns):
        parts = re.findall(r"<([^>]+)>", route)
        if "(" not in route and all(part.startswith("uuid:") for part in parts):
            yield name, len(parts)


def rendered(source, **context):
    return engines["django"].from_string(source).render(context)


@pytest.mark.parametrize(("view", "keys"), sorted(set(of_keys_alone())))
def test_each_is_the_same_as_djangos(view, keys):
    values = [uuid4() for _ in range(keys)]

    assert address(view, *values) == reverse(view, args=values)


def test_a_site_below_another_address_has_addresses_of_its_own():
    before = address("reminders:messages")
    set_script_prefix("/clinic/")
    try:
        assert address("reminders:messages") == f"/clinic{before}" == reverse("reminders:messages")
    finally:
        set_script_prefix("/")
    assert address("reminders:messages") == before


def test_what_is_no_page_is_an_error():
    with pytest.raises(NoReverseMatch):
        address("reminders:messages", uuid4())
    with pytest.raises(NoReverseMatch):
        rendered("{% url 'reminders:no_such_page' %}")


class TestTheTag:
    KEY = UUID("0b5b6f0e-33c1-4f6b-9a52-0d1f8f6f7a11")

    def test_a_page_of_a_row(self):
        assert rendered("{% url 'reminders:why' pk %}", pk=self.KEY) == f"/why/{self.KEY}/"

    def test_a_name_that_it_is_kept_under(self):
        source = "{% url 'reminders:messages' as there %}[{{ there }}]"

        assert rendered(source) == "[/messages/]"
        assert rendered("{% url 'no_such_page' as there %}[{{ there }}]") == "[]"

    def test_other_parts_are_left_to_django(self):
        assert rendered("{% url 'procedures:guide' key %}", key="pao") == "/guide/pao/"
        assert rendered("{% url view %}", view="reminders:messages") == "/messages/"
        assert rendered("{% url 'reminders:why' pk=pk %}", pk=self.KEY) == f"/why/{self.KEY}/"
