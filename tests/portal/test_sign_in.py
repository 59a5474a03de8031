"""Signing in: by password, by code, by a new password; the same answer whether an account exists or not."""

import re
import time
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth import SESSION_KEY
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from portal.actions import accept_invitation, invite
from portal.models import InvitationRequest, User
from portal.tasks import answer_requests
from tests.factories import NOW, PASSWORD

LOGIN = "/accounts/login/"


def without_token(text: str) -> str:
    return re.sub(r'value="[A-Za-z0-9]{64}"', "", text)


def test_a_password_signs_in(people, client):
    answer = client.post(LOGIN, {"login": "PAT@example.com", "password": PASSWORD})
    assert answer.headers["Location"] == "/"
    assert client.session[SESSION_KEY] == str(people.patient.user.pk)


def test_one_comes_back_to_the_page_one_came_for(people, client):
    asked = client.get("/messages/")
    assert asked.headers["Location"] == f"{LOGIN}?next=/messages/"
    answer = client.post(
        asked.headers["Location"],
        {"login": people.patient.user.email, "password": PASSWORD, "next": "/messages/"},
    )
    assert answer.headers["Location"] == "/messages/"


def test_nobody_is_sent_to_another_site(people, client):
    answer = client.post(
        LOGIN,
        {"login": people.patient.user.email, "password": PASSWORD, "next": "https://evil.example/"},
    )
    assert answer.headers["Location"] == "/"


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(people):
    answers = set()
    for address in ("pat@example.com", "stranger@example.com"):
        answer = Client().post(LOGIN, {"login": address, "password": "wrong"})
        answers.add((answer.status_code, without_token(answer.text).replace(address, "")))
    assert len(answers) == 1


def test_guessing_is_limited_for_each_account(people, client):
    for _ in range(5):
        client.post(LOGIN, {"login": "pat@example.com", "password": "wrong"})
    client.post(LOGIN, {"login": "pat@example.com", "password": PASSWORD})
    assert SESSION_KEY not in client.session


CODE = "/accounts/login/code/"
CONFIRM = "/accounts/login/code/confirm/"


def code_in(mail) -> str:
    code = re.search(r"^([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})$", mail.body, re.MULTILINE)
    assert code is not None, mail.body
    return code[1]


class TestCodes:
    def test_a_code_by_mail_signs_in(self, people, client, mailoutbox):
        answer = client.post(CODE, {"email": "PAT@example.com", "next": "/plan/"})
        assert answer.headers["Location"] == f"{CONFIRM}?next=%2Fplan%2F"
        assert not mailoutbox
        assert answer_requests() == 1
        assert answer_requests() == 0
        (mail,) = mailoutbox
        assert mail.to == ["pat@example.com"]
        answer = client.post(answer.headers["Location"], {"code": code_in(mail), "next": "/plan/"})
        assert answer.headers["Location"] == "/plan/"
        assert client.session[SESSION_KEY] == str(people.patient.user.pk)

    def test_a_code_is_good_in_the_browser_that_asked_for_it_alone(
        self, people, client, mailoutbox, stopped_clock
    ):
        other = Client()
        for browser in (client, other):
            browser.post(CODE, {"email": "pat@example.com"})
            stopped_clock.shift(timedelta(seconds=30))
        answer_requests()
        first, second = mailoutbox
        other.post(CONFIRM, {"code": code_in(first)})
        assert SESSION_KEY not in other.session
        other.post(CONFIRM, {"code": code_in(second)})
        assert SESSION_KEY in other.session

    def test_three_wrong_codes_end_it(self, people, client, mailoutbox):
        client.post(CODE, {"email": "pat@example.com"})
        answer_requests()
        for _ in range(2):
            assert client.post(CONFIRM, {"code": "XXXX-XXXX"}).status_code == 200
        assert client.post(CONFIRM, {"code": "XXXX-XXXX"}).headers["Location"] == CODE
        client.post(CONFIRM, {"code": code_in(mailoutbox[0])})
        assert SESSION_KEY not in client.session

    def test_another_code_takes_the_place_of_the_first(
        self, people, client, mailoutbox, stopped_clock
    ):
        client.post(CODE, {"email": "pat@example.com"})
        stopped_clock.shift(timedelta(seconds=30))
        assert "Send a new code" in client.get(CONFIRM).text
        answer = client.post(CONFIRM, {"action": "resend"}, follow=True)
        assert "A new code is on its way." in answer.text
        answer_requests()
        first, second = mailoutbox
        client.post(CONFIRM, {"code": code_in(first)})
        assert SESSION_KEY not in client.session
        client.post(CONFIRM, {"code": code_in(second)})
        assert SESSION_KEY in client.session

    def test_a_code_does_not_live_long(self, people, client, mailoutbox, stopped_clock):
        client.post(CODE, {"email": "pat@example.com"})
        answer_requests()
        stopped_clock.shift(timedelta(minutes=11))
        answer = client.post(CONFIRM, {"code": code_in(mailoutbox[0])}, follow=True)
        assert "This code is too old by now." in answer.text
        assert SESSION_KEY not in client.session

    def test_a_code_is_asked_for_three_times_a_minute_at_most(self, people, client):
        for _ in range(3):
            Client().post(CODE, {"email": "pat@example.com"})
        assert Client().post(CODE, {"email": "Pat@example.com"}).status_code != 302
        assert InvitationRequest.objects.count() == 3

    def test_a_strange_address_is_told_once_and_nobody_gets_in_by_a_guess(self, people, mailoutbox):
        browsers = [Client(), Client()]
        for browser in browsers:
            browser.post(CODE, {"email": "stranger@example.com"})
        code = InvitationRequest.objects.first().code
        answer_requests()
        (mail,) = mailoutbox
        assert mail.to == ["stranger@example.com"]
        assert code not in mail.body
        for browser in browsers:
            answer = browser.post(CONFIRM, {"code": code})
            assert answer.status_code == 200
            assert "Incorrect code" in answer.text
            assert SESSION_KEY not in browser.session

    def test_a_deactivated_account_gets_no_code(self, people, client, mailoutbox):
        client.post(CODE, {"email": "pat@example.com"})
        code = InvitationRequest.objects.get().code
        User.objects.filter(email="pat@example.com").update(is_active=False)
        answer_requests()
        assert code not in mailoutbox[0].body
        client.post(CONFIRM, {"code": code})
        assert SESSION_KEY not in client.session

    def test_who_never_came_in_gets_the_invitation_again_and_no_way_past_the_proof(
        self, people, client, mailoutbox, django_capture_on_commit_callbacks
    ):
        User.objects.filter(email="pat@example.com").update(password="!")
        invite(user=people.patient.user, clinic=people.clinic, by=people.clerk, now=NOW)
        mailoutbox.clear()
        for path in (CODE, "/accounts/password/reset/"):
            client.post(path, {"email": "pat@example.com"})
        code = InvitationRequest.objects.get(wish="code").code
        with django_capture_on_commit_callbacks(execute=True):
            answer_requests()
        assert all("/invitation/" in mail.body for mail in mailoutbox)
        assert {mail.to[0] for mail in mailoutbox} == {"pat@example.com"}
        client.post(CONFIRM, {"code": code})
        assert SESSION_KEY not in client.session

    def test_who_was_never_invited_does_not_come_in_either(self, people, client, mailoutbox):
        User.objects.filter(email="pat@example.com").update(password="!")
        client.post(CODE, {"email": "pat@example.com"})
        code = InvitationRequest.objects.get().code
        answer_requests()
        (mail,) = mailoutbox
        assert code not in mail.body
        client.post(CONFIRM, {"code": code})
        assert SESSION_KEY not in client.session

    def test_who_accepted_an_invitation_without_a_password_signs_in_by_code(
        self, people, client, mailoutbox
    ):
        invitation = invite(
            user=people.patient.user, clinic=people.clinic, by=people.clerk, now=NOW
        )
        accept_invitation(invitation=invitation, password=None, now=NOW)
        mailoutbox.clear()
        client.post(CODE, {"email": "pat@example.com"})
        answer_requests()
        client.post(CONFIRM, {"code": code_in(mailoutbox[0])})
        assert SESSION_KEY in client.session

    def test_the_whole_way_is_the_same_work_for_every_address(self, people, mailoutbox):
        ways = set()
        for address in ("pat@example.com", "stranger@example.com"):
            browser, costs = Client(), []
            for act in (
                lambda: browser.post(CODE, {"email": address}),  # noqa: B023 - called in its turn
                lambda: browser.get(CONFIRM),  # noqa: B023
                lambda: browser.post(CONFIRM, {"code": "XXXX-XXXX"}),  # noqa: B023
                lambda: browser.post(CONFIRM, {"action": "resend"}),  # noqa: B023
            ):
                with CaptureQueriesContext(connection) as queries:
                    answer = act()
                text = without_token(answer.text).replace(address, "")
                costs.append((len(queries), answer.status_code, text))
            ways.add(tuple(costs))
        assert len(ways) == 1
        assert not mailoutbox


@pytest.mark.parametrize("path", ["/accounts/login/code/", "/accounts/password/reset/"])
def test_asking_by_mail_tells_nothing(people, path):
    answers = set()
    for address in ("pat@example.com", "stranger@example.com"):
        browser = Client()
        answer = browser.post(path, {"email": address}, follow=True)
        text = without_token(answer.text).replace(address, "")
        answers.add((answer.status_code, answer.redirect_chain[-1][0], text))
    assert len(answers) == 1


def test_asking_for_a_new_password_is_the_same_work_for_every_address(people, mailoutbox):
    people.nurse.is_active = False
    people.nurse.save()
    answers = set()
    for address in ("pat@example.com", "stranger@example.com", people.nurse.email):
        browser = Client()
        with CaptureQueriesContext(connection) as queries:
            answer = browser.post("/accounts/password/reset/", {"email": address}, follow=True)
        text = without_token(answer.text).replace(address, "")
        answers.add((answer.status_code, answer.redirect_chain[-1][0], text, len(queries)))
    assert len(answers) == 1
    assert not mailoutbox


def test_a_strange_address_is_told_in_the_language_of_the_page_that_there_is_no_account(
    db, client, mailoutbox
):
    header = {"Accept-Language": "es"}
    with translation.override(translation.get_language()):
        client.post("/accounts/password/reset/", {"email": "stranger@example.com"}, headers=header)
    answer_requests()
    (mail,) = mailoutbox
    assert mail.to == ["stranger@example.com"]
    assert "No tenemos ninguna cuenta" in mail.body
    assert "/reset/key/" not in mail.body


def test_a_new_password_can_be_chosen_by_mail(people, client, mailoutbox):
    client.post("/accounts/password/reset/", {"email": "PAT@example.com"})
    client.post("/accounts/password/reset/", {"email": "pat@example.com"})
    assert not mailoutbox
    assert answer_requests() == 2
    assert answer_requests() == 0
    assert [mail.to for mail in mailoutbox] == [["pat@example.com"]]
    path = re.search(r"http://[^/]+(/accounts/password/reset/key/\S+)", mailoutbox[-1].body)
    assert path is not None
    form = client.get(path[1], follow=True)
    where = form.redirect_chain[-1][0]
    new = "seven quiet herons 1872"
    client.post(where, {"password1": new, "password2": new})
    people.patient.user.refresh_from_db()
    assert people.patient.user.check_password(new)


def test_nobody_signs_up_alone(client, db):
    fields = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert "You come in by invitation" in client.post("/accounts/signup/", fields).text
    assert SESSION_KEY not in client.session


def test_a_deactivated_account_cannot_sign_in(people, client):
    people.patient.user.is_active = False
    people.patient.user.save()
    client.post(LOGIN, {"login": "pat@example.com", "password": PASSWORD})
    assert SESSION_KEY not in client.session


def test_staff_set_up_a_second_factor_and_sign_in_with_it(people, client, settings, stopped_clock):
    settings.STAFF_SECOND_FACTOR = True
    credentials = {"login": people.manager.email, "password": PASSWORD}
    client.post(LOGIN, credentials)
    asked = client.get("/admin/", follow=True)
    again = asked.redirect_chain[-1][0]
    assert again.startswith("/accounts/reauthenticate/?next=")
    form = client.post(again, {"password": PASSWORD}, follow=True)
    assert form.redirect_chain[-1][0] == "/accounts/2fa/totp/activate/"
    secret = client.session["mfa.totp.secret"]

    def code() -> str:
        return format_hotp_value(hotp_value(secret, int(time.time()) // 30))

    client.post("/accounts/2fa/totp/activate/", {"code": code()})
    answer = client.get("/admin/", follow=True)
    assert "sign in again, with your second factor" in answer.text
    stopped_clock.shift(timedelta(minutes=2))
    assert client.post(LOGIN, credentials).headers["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/admin/").status_code == 302
    client.post("/accounts/2fa/authenticate/", {"code": code()})
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("who", ["patient", "mother", "nurse"])
@pytest.mark.parametrize("do", ["action_add", "action_primary", "action_send", "action_remove"])
def test_nobody_changes_their_address_at_one_end(people, sign_in, mailoutbox, who, do):
    person = getattr(people, who)
    user = getattr(person, "user", person)
    browser, before = sign_in(user), user.email
    assert before in browser.get("/accounts/email/").text.replace("<wbr>", "")
    answer = browser.post("/accounts/email/", {do: "", "email": "thief@example.com"})
    assert answer.status_code == 405
    user.refresh_from_db()
    assert user.email == before
    assert not EmailAddress.objects.exists()
    assert mailoutbox == []


def test_the_page_leads_to_the_wish_that_both_ends_confirm(people, sign_in):
    page = sign_in(people.patient.user).get("/accounts/email/")
    assert f'href="{reverse("patients:contact_email")}"' in page.text


def test_who_looked_at_their_address_may_still_add_a_way_in(people, client):
    client.post(LOGIN, {"login": people.patient.user.email, "password": PASSWORD})
    assert client.get("/accounts/email/").status_code == 200
    again = client.get("/accounts/2fa/totp/activate/").headers["Location"]
    answer = client.post(again, {"password": PASSWORD}, follow=True)
    assert answer.redirect_chain == [("/accounts/2fa/totp/activate/", 302)]
    assert client.session["mfa.totp.secret"] in answer.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (LOGIN, {"login": "ADDRESS", "password": "violet staircase 1932"}),
        ("/accounts/login/code/", {"email": "ADDRESS"}),
    ],
)
def test_signing_in_asks_the_database_alike_for_every_address(people, path, fields):
    costs = set()
    for address in ("pat@example.com", "stranger@example.com"):
        sent = {name: value.replace("ADDRESS", address) for name, value in fields.items()}
        browser = Client()
        browser.get(path)
        with CaptureQueriesContext(connection) as queries:
            browser.post(path, sent)
        costs.add(len(queries))
    assert len(costs) == 1, costs
