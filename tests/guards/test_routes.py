"""Every address needs a sign-in or says why not; who gets what is declared, and so it is."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path, reverse

from tests.factories import make_appointment, make_message, make_reminder
from tests.guards.routes import (
    EVERYBODY_IN,
    OPEN,
    OPEN_SETS,
    SIGN_IN,
    TABLE,
    WAY_IN,
    needs_sign_in,
    walk,
)
from tests.patients.consents import published
from tests.patients.exercises import prescribed
from tests.patients.smoking import slipped
from tests.patients.wishes import wished
from tests.people import People

OURS = ("portal:", "procedures:", "patients:", "reminders:")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
TOKEN_ROUTES = (
    "patients:calendar_feed_file", "patients:email_change", "portal:accept_invitation", "reminders:unsubscribe",
    "reminders:mail_settings",
)  # fmt: skip


def open_routes(patterns: list[Any] | None = None) -> set[str]:
    return {name for name, _path, view in walk(patterns) if not needs_sign_in(view)}


class TestOpenRoutes:
    def test_each_stands_on_the_list_with_its_reason(self):
        unexplained = open_routes() - OPEN.keys() - WAY_IN
        assert {name for name in unexplained if not name.startswith(tuple(OPEN_SETS))} == set()

    def test_the_list_has_no_stale_entry(self):
        assert OPEN.keys() - open_routes() == set()
        assert WAY_IN - {name for name, _path, _view in walk()} == set()

    def test_a_planted_one_is_found(self):
        @login_not_required
        def planted(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        assert open_routes([path("planted/", planted, name="planted")]) == {"planted"}


class TestTable:
    def test_every_route_is_declared(self):
        ours = {name for name, _path, _view in walk() if name.startswith(OURS)}
        assert ours == TABLE.keys()

    def test_nothing_else_is_on_the_site(self):
        others = {name for name, _path, _view in walk() if not name.startswith(OURS)}
        known = ("admin:", "account_", "mfa_", "accounts/", "admin/", *OPEN_SETS)
        unknown = {name for name in others if not name.startswith(known)}
        assert unknown - OPEN.keys() == set()


@pytest.fixture
def own(people: People) -> dict[str, str]:
    """For each route an address; where it names a record, it is the patient's."""
    row = make_reminder(people.episode, people.adult_version.steps.get(key="insurer"))
    message = make_message(people.patient.user, people.clinic, [row])
    row = make_reminder(people.episode, people.adult_version.steps.get(key="driving"))
    visit = make_appointment(people.episode)
    arguments: dict[str, list[Any]] = {
        "portal:accept_invitation": ["nonsense"],
        "portal:outbox_mail": [uuid4()],
        "portal:outbox_part": [uuid4(), 0],
        "patients:appointment_calendar": [visit.pk],
        "patients:appointment": [visit.pk],
        "patients:appointment_confirm": [visit.pk],
        "patients:appointment_ask_move": [visit.pk],
        "patients:move_request_withdraw": [wished(people).pk],
        "patients:calendar_feed_file": ["nonsense"],
        "patients:ask_access_end": [people.ended_link.pk],
        "patients:check_in_result": [uuid4()],
        "patients:exercise": [prescribed(people).pk],
        "patients:exercise_log": [prescribed(people, "bridge").pk],
        "patients:consent": [people.episode.pk, published(people).key],
        "patients:email_change": ["nonsense"],
        "reminders:my_data_file": ["json"],
        "patients:slip_log": [people.episode.pk],
        "patients:slip_withdraw": [slipped(people).pk],
        "procedures:guide": ["no-such-procedure"],
        "procedures:guide_print": ["no-such-procedure"],
        "procedures:guide_pdf": ["no-such-procedure"],
        "procedures:guide_page": ["no-such-procedure", "no-such-page"],
        "reminders:message": [message.pk],
        "reminders:message_html": [message.pk],
        "reminders:why": [row.pk],
        "reminders:answer": [row.pk],
        "reminders:unsubscribe": ["nonsense"],
        "reminders:mail_settings": ["nonsense"],
    }
    return {name: reverse(name, args=arguments.get(name)) for name in TABLE}


def user_of(people: People, who: str) -> Any:
    person = getattr(people, who)
    return getattr(person, "user", person)


@pytest.mark.parametrize("who", EVERYBODY_IN)
def test_the_table_is_true_for(people: People, own, sign_in: Callable[..., Client], who: str):
    browser = sign_in(user_of(people, who))
    found = {name: browser.get(own[name]).status_code for name in TABLE}
    assert found == {name: route.signed_in[who] for name, route in TABLE.items()}


def test_the_table_is_true_for_a_stranger(people: People, own):
    browser, found = Client(), {}
    for name in TABLE:
        answer = browser.get(own[name])
        is_sent_to_sign_in = answer.headers.get("Location", "").startswith("/accounts/login/?next=")
        found[name] = SIGN_IN if is_sent_to_sign_in else answer.status_code
    assert found == {name: route.anonymous for name, route in TABLE.items()}


def test_methods_that_are_not_declared_are_refused(people: People, own, sign_in):
    browser = sign_in(people.patient.user)
    wrong = [
        (name, method)
        for name, route in TABLE.items()
        for method in METHODS - route.methods
        if name not in TOKEN_ROUTES and not (method == "HEAD" and "GET" in route.methods)
        if browser.generic(method, own[name]).status_code != 405
    ]
    assert wrong == []


@pytest.mark.parametrize("who", ["other_patient", "former_carer", "nobody", "clerk", "far_patient"])
def test_anothers_record_is_exactly_like_a_missing_one(people: People, own, sign_in, who):
    browser = sign_in(user_of(people, who))
    for name in (
        "patients:appointment_calendar",
        "reminders:message",
        "reminders:why",
        "reminders:answer",
    ):
        missing = browser.get(reverse(name, args=[uuid4()]))
        answer = browser.get(own[name])
        assert (answer.status_code, answer.content) == (404, missing.content), name
        assert dict(answer.headers) | {"Expires": ""} == dict(missing.headers) | {"Expires": ""}


@pytest.mark.parametrize("who", ["patient", "mother", "nobody", "former_carer"])
def test_no_patient_and_no_parent_enters_the_staff_pages(people: People, sign_in, who):
    browser = sign_in(user_of(people, who))
    reached = []
    for name, route, _view in walk():
        if name.startswith("admin:") and "<" not in route and "(?P" not in route:
            answer = browser.get(f"/{route.replace('^', '').replace('$', '')}")
            if answer.status_code == 200 and name not in OPEN:
                reached.append(name)
    assert reached == []
