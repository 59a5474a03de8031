"""The end of a session: how it is put off, and that nothing typed is lost with it."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client

from portal import sessions
from portal.sessions import PATIENT_IDLE, STAFF_IDLE, UNSENT
from tests.factories import PASSWORD

SETTINGS = "/settings/reminders/"
LOGIN = "/accounts/login/"
TYPED = {"wanted": ["physiotherapy", "xray"], "language": "es", "time_zone": "Asia/Tokyo"}


def send(browser: Client, path: str, fields: dict, **headers: str):
    """Send a form as a browser does."""
    return browser.post(
        path, urlencode(fields, doseq=True), "application/x-www-form-urlencoded", headers=headers
    )


@pytest.fixture
def late(people, sign_in, stopped_clock) -> Client:
    """A patient's browser, in which a form was sent after half an hour of nothing."""
    browser = sign_in(people.patient.user)
    browser.get(SETTINGS)
    stopped_clock.shift(timedelta(seconds=PATIENT_IDLE + 1))
    answer = send(browser, SETTINGS, TYPED)
    assert answer.headers["Location"] == f"{LOGIN}?next={SETTINGS}"
    return browser


def come_back(browser: Client, email: str):
    sent = {"login": email, "password": PASSWORD, "next": SETTINGS}
    return browser.post(LOGIN, sent, follow=True)


class TestStaying:
    def test_it_puts_the_end_off(self, people, sign_in, stopped_clock):
        browser = sign_in(people.patient.user)
        browser.get("/today/")
        stopped_clock.shift(timedelta(seconds=PATIENT_IDLE - 60))
        assert browser.post("/session/stay/").status_code == 204
        stopped_clock.shift(timedelta(seconds=PATIENT_IDLE - 60))
        assert browser.get("/today/").status_code == 200

    def test_it_does_not_bring_a_session_back(self, people, sign_in, stopped_clock):
        browser = sign_in(people.patient.user)
        browser.get("/today/")
        stopped_clock.shift(timedelta(seconds=PATIENT_IDLE + 1))
        assert browser.post("/session/stay/").status_code == 302
        assert SESSION_KEY not in browser.session

    @pytest.mark.parametrize(("who", "seconds"), [("mother", PATIENT_IDLE), ("clerk", STAFF_IDLE)])
    def test_pages_know_when_it_ends(self, people, sign_in, who, seconds):
        path = "/admin/" if who == "clerk" else "/today/"
        assert f'data-seconds="{seconds}"' in sign_in(getattr(people, who)).get(path).text

    def test_a_stranger_is_not_warned(self, client, db):
        assert "data-session" not in client.get("/").text


class TestEnding:
    def test_a_page_that_nobody_touched_leads_back_to_itself(self, people, sign_in):
        browser = sign_in(people.patient.user)
        answer = browser.post("/session/end/", {"next": "/messages/?page=2"})
        assert answer.headers["Location"] == f"{LOGIN}?next=/messages/%3Fpage%3D2"
        assert SESSION_KEY not in browser.session
        assert "signed out after 30 minutes" in browser.get(answer.headers["Location"]).text

    @pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", ""])
    def test_it_leads_nowhere_else(self, people, sign_in, elsewhere):
        answer = sign_in(people.mother).post("/session/end/", {"next": elsewhere})
        assert answer.headers["Location"] == f"{LOGIN}?next=/"

    def test_what_was_typed_stays_in_the_browser_and_signing_out_clears_it(self, people, sign_in):
        ended = sign_in(people.mother).post("/session/end/", {})
        assert ended.headers["Clear-Site-Data"] == '"cache"'
        left = sign_in(people.mother).post("/accounts/logout/")
        assert left.headers["Clear-Site-Data"] == '"cache", "storage"'

    def test_a_corner_of_a_page_does_not_become_the_sign_in_page(self, client, db):
        headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/exercises/"}
        answer = client.get("/today/", headers=headers)
        assert answer.status_code == 204
        assert answer.headers["HX-Redirect"] == f"{LOGIN}?next=%2Fexercises%2F"


class TestUnsent:
    def test_a_form_that_came_too_late_is_handed_back_and_sent_on(self, people, late):
        people.patient.user.refresh_from_db()
        assert people.patient.user.language == "en-gb"
        page = come_back(late, "pat@example.com")
        assert page.redirect_chain[-1][0] == SETTINGS
        assert "Nothing is lost" in page.text
        assert page.text.count('name="wanted" value="') == 2
        send(late, SETTINGS, TYPED)
        people.patient.user.refresh_from_db()
        assert (people.patient.user.language, people.patient.user.time_zone) == ("es", "Asia/Tokyo")
        assert UNSENT not in late.session

    def test_looking_changes_nothing_and_it_can_be_thrown_away(self, people, late):
        come_back(late, "pat@example.com")
        assert "Nothing is lost" in late.get(SETTINGS).text
        assert "Nothing is lost" not in late.get("/today/").text
        answer = late.post("/session/unsent/", {"next": SETTINGS}, follow=True)
        assert answer.redirect_chain == [(SETTINGS, 302)]
        assert "Reminder settings" in answer.text

    def test_somebody_else_at_the_same_screen_never_sees_it(self, people, late):
        assert "Nothing is lost" not in come_back(late, "otto@example.com").text
        assert UNSENT not in late.session

    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/accounts/password/change/", {}),
            (SETTINGS, {"Sec-Fetch-Site": "cross-site"}),
            (SETTINGS, {"HX-Request": "true"}),
        ],
    )
    def test_passwords_and_foreign_forms_are_not_kept(
        self, people, sign_in, stopped_clock, path, headers
    ):
        browser = sign_in(people.patient.user)
        browser.get("/today/")
        stopped_clock.shift(timedelta(seconds=PATIENT_IDLE + 1))
        send(browser, path, {"oldpassword": PASSWORD, "other": "x"}, **headers)
        assert UNSENT not in browser.session

    def test_of_a_kept_form_no_password_is_kept(self, people, sign_in, stopped_clock):
        browser = sign_in(people.patient.user)
        browser.get("/today/")
        stopped_clock.shift(timedelta(seconds=PATIENT_IDLE + 1))
        send(browser, SETTINGS, {"oldpassword": PASSWORD, "language": "es"})
        assert browser.session[UNSENT][2] == [["language", "es"]]

    def test_staff_get_theirs_after_the_second_factor(
        self, people, sign_in, stopped_clock, settings
    ):
        browser = sign_in(people.clerk)
        browser.get("/admin/")
        stopped_clock.shift(timedelta(seconds=STAFF_IDLE + 1))
        send(browser, "/admin/patient/add/", {"given_name": "Wilhelmina"})
        assert UNSENT in browser.session
        settings.STAFF_SECOND_FACTOR = True
        browser.post(LOGIN, {"login": people.clerk.email, "password": PASSWORD})
        assert "Wilhelmina" not in browser.get("/admin/patient/add/", follow=True).text


class TestDrafts:
    def test_the_key_is_each_persons_own_and_changes_with_the_password(self, people):
        user = people.patient.user
        keys = {sessions.draft_key(user), sessions.draft_key(people.mother)}
        user.set_password("seven quiet herons 1872")
        assert len(keys | {sessions.draft_key(user)}) == 3
        assert sessions.draft_owner(user) != sessions.draft_owner(people.mother)
