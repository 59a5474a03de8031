"""The front door, invitations, the demo's outbox, and the pages that say that something went wrong."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal import actions
from portal.models import AuditEvent, Invitation, OutboxMail, User
from portal.outbox import OutboxBackend
from portal.tasks import answer_requests
from tests.factories import NOW, make_carer, make_clinic, make_user

NEW_PASSWORD = "seven quiet herons 1872"
BY_PASSWORD = {"way": "password", "password": NEW_PASSWORD}


def born(day: int, month: int, year: int) -> dict[str, int]:
    """A date of birth as its three boxes are sent."""
    return {"born_on_day": day, "born_on_month": month, "born_on_year": year}


# A page's own form token, and the way back from the choice of a language, which is its own address.
OF_THE_REQUEST = re.compile(r'name="(?:csrfmiddlewaretoken|next)" value="[^"]*"')


def words_of(answer: HttpResponse) -> str:
    """What a page says, without what is another in every request."""
    return OF_THE_REQUEST.sub("", answer.text)


def token_of(mail: EmailMessage) -> str:
    return str(mail.body).split("/invitation/")[1].split("/")[0]


@pytest.fixture
def invited(people, mailoutbox, django_capture_on_commit_callbacks) -> tuple[User, str]:
    """Somebody without a password, and the token of the link in their mail."""
    user = User.objects.create_user("ines@example.com", name="Ines Invited")
    with django_capture_on_commit_callbacks(execute=True):
        actions.invite(user=user, clinic=people.clinic, by=people.clerk, now=NOW)
    return user, token_of(mailoutbox[-1])


class TestHome:
    def test_a_stranger_sees_the_front_door(self, client, db):
        answer = client.get("/")
        assert answer.status_code == 200
        assert reverse("account_login") in answer.text

    def test_the_only_clinic_is_whom_to_call(self, client, db):
        clinic = make_clinic()
        assert clinic.phone_in_hours in client.get("/").text
        make_clinic("Meadow Clinic")
        assert clinic.phone_in_hours not in client.get("/").text

    @pytest.mark.parametrize(
        ("who", "where"),
        [
            ("mother", "/today/"),
            ("nobody", "/today/"),
            ("clerk", "/admin/"),
            ("manager", "/admin/"),
        ],
    )
    def test_who_is_signed_in_goes_to_work(self, people, sign_in, who, where):
        assert sign_in(getattr(people, who)).get("/").headers["Location"] == where

    def test_a_patient_goes_to_today(self, people, sign_in):
        assert sign_in(people.patient.user).get("/").headers["Location"] == "/today/"

    def test_logins_are_offered_in_the_demo_alone(self, client, db, settings):
        assert "walk-with-stepwise" not in client.get("/").text
        settings.STEPWISE_DEMO = True
        assert "walk-with-stepwise" in client.get("/").text


class TestInvitation:
    def test_opening_the_link_changes_nothing(self, client, invited):
        _user, token = invited
        for _ in range(3):
            answer = client.get(f"/invitation/{token}/")
            assert answer.status_code == 200
        assert Invitation.objects.get().accepted_at is None
        assert "_auth_user_id" not in client.session

    def test_the_password_is_set_and_the_person_signed_in(self, client, invited):
        user, token = invited
        answer = client.post(f"/invitation/{token}/", BY_PASSWORD)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/")
        assert client.session["_auth_user_id"] == str(user.pk)
        user.refresh_from_db()
        assert user.check_password(NEW_PASSWORD)

    def test_who_chose_codes_has_no_password(self, client, invited):
        user, token = invited
        client.post(f"/invitation/{token}/", {"way": "code", "password": NEW_PASSWORD})
        assert client.session["_auth_user_id"] == str(user.pk)
        user.refresh_from_db()
        assert not user.has_usable_password()

    def test_who_chose_a_passkey_goes_on_to_make_one(self, client, invited):
        _user, token = invited
        answer = client.post(f"/invitation/{token}/", {"way": "passkey"}, follow=True)
        assert answer.redirect_chain == [("/accounts/2fa/webauthn/add/", 302)]
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "weak",
        [
            "fourteen chars",
            "passwordpassword",
            "abcdefghijklmnopqrst",
            "112233445566778899",
            "stepwisestepwise",
            "ines@example.com",
        ],
    )
    def test_a_weak_password_is_refused_at_the_field(self, client, invited, weak):
        user, token = invited
        answer = client.post(f"/invitation/{token}/", {"way": "password", "password": weak})
        assert answer.status_code == 200
        assert "Error: " in answer.text
        assert 'href="#id_password"' in answer.text
        user.refresh_from_db()
        assert not user.has_usable_password()

    @pytest.mark.parametrize(
        "good", ["a" * 4 + " quiet heron stands", "1931 1872 4460 9215", "señora café azul ya"]
    )
    def test_no_rule_about_signs(self, client, invited, good):
        user, token = invited
        client.post(f"/invitation/{token}/", {"way": "password", "password": good})
        user.refresh_from_db()
        assert user.check_password(good)

    def test_sending_nothing_is_an_error_and_changes_nothing(self, client, invited):
        _user, token = invited
        assert "Choose one of the three." in client.post(f"/invitation/{token}/", {}).text
        assert Invitation.objects.get().accepted_at is None

    def test_used_expired_and_unknown_links_show_one_page(self, client, invited, stopped_clock):
        _user, token = invited
        Client().post(f"/invitation/{token}/", BY_PASSWORD)
        used = client.get(f"/invitation/{token}/")
        unknown = client.get("/invitation/nonsense/")
        assert used.status_code == unknown.status_code == 404
        assert words_of(used) == words_of(unknown)
        assert reverse("portal:ask_invitation") in used.text

    def test_an_expired_link_does_not_work(self, client, invited, stopped_clock):
        _user, token = invited
        stopped_clock.move_to(NOW + actions.INVITATION_IS_GOOD_FOR + timedelta(seconds=1))
        assert client.get(f"/invitation/{token}/").status_code == 404
        answer = client.post(f"/invitation/{token}/", BY_PASSWORD)
        assert answer.status_code == 404
        assert "_auth_user_id" not in client.session

    def test_a_deactivated_person_cannot_accept(self, client, invited):
        user, token = invited
        User.objects.filter(pk=user.pk).update(is_active=False)
        assert client.get(f"/invitation/{token}/").status_code == 404


@pytest.fixture
def invited_parent(people, invited) -> tuple[User, str]:
    """Who was invited cares for the child, who was born on 1 June seven years before NOW."""
    make_carer(people.child, invited[0])
    return invited


class TestProof:
    def test_the_date_of_birth_comes_first_and_the_page_names_nobody(self, client, invited_parent):
        user, token = invited_parent
        text = client.get(f"/invitation/{token}/").text
        assert "Date of birth" in text
        assert not [name for name in (user.name, user.email, "Kim", "Kidd") if name in text]

    def test_no_way_in_can_be_chosen_without_it(self, client, invited_parent):
        user, token = invited_parent
        assert "Error: " in client.post(f"/invitation/{token}/", BY_PASSWORD).text
        user.refresh_from_db()
        assert not user.has_usable_password()

    def test_the_right_date_opens_the_second_step_in_this_browser_alone(
        self, client, invited_parent
    ):
        user, token = invited_parent
        answer = client.post(f"/invitation/{token}/", born(1, 6, NOW.year - 7), follow=True)
        assert user.email in answer.text
        assert user.email not in Client().get(f"/invitation/{token}/").text
        client.post(f"/invitation/{token}/", BY_PASSWORD)
        assert client.session["_auth_user_id"] == str(user.pk)

    def test_a_proof_is_good_for_half_an_hour(self, client, invited_parent, stopped_clock):
        user, token = invited_parent
        client.post(f"/invitation/{token}/", born(1, 6, NOW.year - 7))
        stopped_clock.shift(timedelta(minutes=31))
        assert user.email not in client.get(f"/invitation/{token}/").text

    @pytest.mark.parametrize(
        ("boxes", "says"),
        [
            (born(6, 1, NOW.year - 7), "You can try 4 more times."),
            (born(31, 2, 2019), "not in the calendar"),
            (born(1, 6, 19), "four digits"),
            ({"born_on_day": 1, "born_on_year": 2019}, "the day, the month and the year"),
            ({}, "the day, the month and the year"),
        ],
    )
    def test_a_wrong_or_impossible_date_is_said_at_the_field_and_kept(
        self, client, invited_parent, boxes, says
    ):
        _user, token = invited_parent
        text = client.post(f"/invitation/{token}/", boxes).text
        assert says in text
        assert 'href="#id_born_on_0"' in text
        assert ('name="born_on_day" value="' in text) == bool(boxes)

    def test_five_wrong_dates_close_the_link_and_the_right_one_is_too_late(
        self, client, invited_parent
    ):
        _user, token = invited_parent
        for day in range(2, 7):
            answer = client.post(f"/invitation/{token}/", born(day, 6, NOW.year - 7))
        assert (answer.status_code, "This link is closed" in answer.text) == (403, True)
        assert Client().post(f"/invitation/{token}/", born(1, 6, NOW.year - 7)).status_code == 403
        refused = AuditEvent.objects.filter(verb="invitation.wrong_birth_date")
        assert refused.count() == 5

    def test_a_new_link_of_ones_own_buys_no_more_tries(self, client, invited_parent, mailoutbox):
        user, _token = invited_parent
        Invitation.objects.update(proofs_failed=4)
        actions.invite_again(email=user.email, now=NOW + timedelta(minutes=1))
        newer = Invitation.objects.filter(withdrawn_at=None).get()
        assert newer.proofs_failed == 4
        Invitation.objects.update(proofs_failed=5)
        actions.invite_again(email=user.email, now=NOW + timedelta(minutes=2))
        assert Invitation.objects.filter(withdrawn_at=None).get() == newer

    def test_the_clinic_sends_one_with_all_its_tries(self, people, client, invited_parent):
        user, _token = invited_parent
        Invitation.objects.update(proofs_failed=5)
        again = actions.invite(user=user, clinic=people.clinic, by=people.clerk, now=NOW)
        assert not again.is_locked

    def test_the_month_comes_first_where_the_reader_is_used_to_it(self, client, invited_parent):
        _user, token = invited_parent
        british = client.get(f"/invitation/{token}/").text
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en-us"
        american = client.get(f"/invitation/{token}/").text
        assert british.index("born_on_day") < british.index("born_on_month")
        assert american.index("born_on_month") < american.index("born_on_day")


class TestAskInvitation:
    def test_asking_is_the_same_for_every_address_and_costs_the_same(
        self, client, people, invited, mailoutbox
    ):
        answers = []
        for address in ("INES@example.com", "stranger@example.com", people.patient.user.email):
            with CaptureQueriesContext(connection) as queries:
                answer = client.post("/invitation/new/", {"email": address}, follow=True)
            answers.append((answer.status_code, words_of(answer), len(queries)))
        assert len(set(answers)) == 1
        assert len(mailoutbox) == 1

    def test_who_was_invited_gets_a_new_link_and_nobody_else_a_mail(
        self, client, people, invited, mailoutbox, django_capture_on_commit_callbacks
    ):
        for address in ("INES@example.com", "stranger@example.com", people.patient.user.email):
            client.post("/invitation/new/", {"email": address})
        client.post("/invitation/new/", {"email": "ines@example.com"})
        with django_capture_on_commit_callbacks(execute=True):
            assert answer_requests() == 4
        assert [mail.to for mail in mailoutbox] == [["ines@example.com"]] * 2
        assert answer_requests() == 0

    def test_the_newer_link_works_and_the_older_does_not(
        self, client, invited, mailoutbox, django_capture_on_commit_callbacks, stopped_clock
    ):
        user, old = invited
        stopped_clock.shift(timedelta(minutes=5))
        client.post("/invitation/new/", {"email": user.email})
        with django_capture_on_commit_callbacks(execute=True):
            answer_requests()
        new = token_of(mailoutbox[-1])
        assert client.get(f"/invitation/{old}/").status_code == 404
        assert client.get(f"/invitation/{new}/").status_code == 200

    def test_it_is_limited(self, client, db):
        codes = [
            client.post("/invitation/new/", {"email": "a@example.com"}).status_code
            for _ in range(4)
        ]
        assert codes == [302, 302, 302, 429]


@pytest.fixture
def kept(db) -> OutboxMail:
    """One mail in the outbox, with HTML and a calendar file."""
    mail = EmailMultiAlternatives("Your next step", "Plain words", to=["pat@example.com"])
    mail.attach_alternative("<html><head></head><body><b>Bold words</b></body></html>", "text/html")
    mail.attach("appointment.ics", "BEGIN:VCALENDAR", "text/calendar")
    OutboxBackend().send_messages([mail])
    return OutboxMail.objects.get()


class TestOutbox:
    @pytest.fixture(autouse=True)
    def _demo(self, settings):
        settings.STEPWISE_DEMO = True

    def test_it_lists_mails_by_recipient(self, client, kept):
        everything = client.get("/outbox/").text
        assert kept.subject in everything
        others = client.get("/outbox/", {"address": "otto@example.com"}).text
        assert kept.subject not in others

    def test_a_mail_is_shown_as_it_is_read_and_as_it_was_sent(self, client, kept):
        page = client.get(f"/outbox/{kept.pk}/").text
        assert f"/outbox/{kept.pk}/part/0/" in page
        assert "sandbox=" in page
        assert "Plain words" in client.get(f"/outbox/{kept.pk}/", {"tab": "text"}).text
        assert "Subject: Your next step" in client.get(f"/outbox/{kept.pk}/", {"tab": "raw"}).text

    def test_the_html_part_has_a_policy_of_its_own(self, client, kept):
        answer = client.get(f"/outbox/{kept.pk}/part/0/")
        assert "Bold words" in answer.text
        assert sorted(answer.headers["Content-Security-Policy"].split("; ")) == [
            "base-uri 'none'",
            "default-src 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
            "img-src data:",
            "style-src 'unsafe-inline'",
        ]
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"

    def test_an_attachment_is_for_keeping(self, client, kept):
        numbers = [
            n for n in range(1, 8) if client.get(f"/outbox/{kept.pk}/part/{n}/").status_code == 200
        ]
        assert len(numbers) == 1
        answer = client.get(f"/outbox/{kept.pk}/part/{numbers[0]}/")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="appointment.ics"'
        assert answer.content == b"BEGIN:VCALENDAR"

    def test_outside_the_demo_there_is_no_outbox(self, client, kept, settings):
        settings.STEPWISE_DEMO = False
        for path in ("/outbox/", f"/outbox/{kept.pk}/", f"/outbox/{kept.pk}/part/0/"):
            assert client.get(path).status_code == 404


class TestWhenSomethingWentWrong:
    def test_a_missing_page(self, client, db):
        answer = client.get("/nothing-here/")
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text

    def test_a_form_without_its_token(self, people):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(people.patient.user)
        answer = strict.post("/settings/reminders/", {})
        assert answer.status_code == 403
        assert "This form was open for too long" in answer.text

    def test_our_own_fault(self, people, sign_in, monkeypatch):
        monkeypatch.setattr("reminders.views.build_today", lambda care: 1 / 0)
        browser = sign_in(people.patient.user)
        browser.raise_request_exception = False
        answer = browser.get("/today/")
        assert answer.status_code == 500
        assert "Something went wrong on our side" in answer.text
        assert people.patient.family_name not in answer.text


def test_no_page_of_the_portal_itself_writes_an_audit_row_for_a_stranger(client, db):
    make_user()
    for path in ("/", "/accounts/login/", "/invitation/nonsense/", "/health/live"):
        client.get(path)
    assert AuditEvent.objects.count() == 0
