"""Long lists page by page, without a count."""

import pytest
from django.test import RequestFactory

from portal.pages import page_of

ROWS = list(range(45))


def page(wanted, asked=None):
    def rows(start, stop):
        if asked is not None:
            asked.append((start, stop))
        return ROWS[start:stop]

    return page_of(RequestFactory().get("/", {"page": wanted} if wanted else {}), rows, 20)


def test_the_first_page_leads_to_older_rows():
    first = page("")

    assert (list(first.rows), first.newer_url, first.older_url) == (ROWS[:20], "", "?page=2")


def test_the_last_page_leads_back():
    last = page("3")

    assert (list(last.rows), last.newer_url, last.older_url) == (ROWS[40:], "?page=2", "")


@pytest.mark.parametrize("wanted", ["0", "-1", "x", "²", "1e3", "999999999999999999999", "77"])
def test_what_is_no_page_shows_the_first(wanted):
    assert list(page(wanted).rows) == ROWS[:20]


def test_a_page_is_one_question():
    asked = []
    page("2", asked)

    assert asked == [(20, 41)]


def test_an_empty_list_has_one_page():
    found = page_of(RequestFactory().get("/", {"page": "1"}), lambda start, stop: [], 20)

    assert (found.number, list(found.rows), found.older_url) == (1, [], "")
