"""Headers, the limits of a session, the second factor, the reader's language, and the audit of reads."""

from datetime import timedelta

import pytest
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth import SESSION_KEY
from django.db import DatabaseError
from django.test import Client, RequestFactory

from portal import audit
from portal.middleware import is_persons_own
from portal.models import AuditEvent, User
from portal.sessions import LONGEST_SESSION, PATIENT_IDLE, STAFF_IDLE
from tests.factories import PASSWORD

OWN_POLICY = [
    "base-uri 'none'",
    "connect-src 'self'",
    "default-src 'none'",
    "font-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "frame-src 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
]


def policy(answer) -> list[str]:
    return sorted(answer.headers["Content-Security-Policy"].split("; "))


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", "/accounts/login/", "/nothing-here/", "/health/live"])
    def test_every_page_has_the_stated_set(self, client, db, path):
        answer = client.get(path)
        assert policy(answer) == OWN_POLICY
        assert "camera=()" in answer.headers["Permissions-Policy"]
        assert {
            name: answer.headers[name]
            for name in (
                "Cross-Origin-Opener-Policy",
                "Cross-Origin-Resource-Policy",
                "Referrer-Policy",
                "X-Content-Type-Options",
                "X-Frame-Options",
            )
        } == {
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }

    def test_the_admin_alone_may_evaluate(self, people, sign_in):
        assert "script-src 'self' 'unsafe-eval'" in policy(sign_in(people.manager).get("/admin/"))
        assert policy(sign_in(people.patient.user).get("/today/")) == OWN_POLICY

    def test_pages_are_not_kept(self, people, sign_in):
        answer = sign_in(people.patient.user).get("/today/")
        assert "no-store" in answer.headers["Cache-Control"]

    def test_signing_out_clears_the_browser(self, people, sign_in):
        browser = sign_in(people.patient.user)
        assert "Clear-Site-Data" not in browser.get("/today/").headers
        answer = browser.post("/accounts/logout/")
        assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
        assert SESSION_KEY not in browser.session


class TestSessionLimits:
    @pytest.mark.parametrize(("who", "idle"), [("clerk", STAFF_IDLE), ("mother", PATIENT_IDLE)])
    def test_who_does_nothing_is_signed_out(self, people, sign_in, stopped_clock, who, idle):
        browser = sign_in(getattr(people, who))
        path = "/admin/" if who == "clerk" else "/today/"
        assert browser.get(path).status_code == 200
        stopped_clock.shift(timedelta(seconds=idle - 1))
        assert browser.get(path).status_code == 200
        stopped_clock.shift(timedelta(seconds=idle))
        answer = browser.get(path)
        assert answer.status_code == 302
        assert SESSION_KEY not in browser.session
        assert "you were signed out" in browser.get(answer.headers["Location"], follow=True).text

    def test_nothing_lasts_longer_than_twelve_hours(self, people, sign_in, stopped_clock):
        browser = sign_in(people.mother)
        for _ in range(LONGEST_SESSION // PATIENT_IDLE * 2):
            assert browser.get("/today/").status_code == 200
            stopped_clock.shift(timedelta(seconds=PATIENT_IDLE // 2))
        assert browser.get("/today/").status_code == 302

    def test_what_a_page_fetches_by_itself_keeps_nothing_alive(
        self, people, sign_in, stopped_clock
    ):
        browser = sign_in(people.mother)
        browser.get("/today/")
        for _ in range(2):
            stopped_clock.shift(timedelta(seconds=PATIENT_IDLE // 2))
            answer = browser.get("/messages/", headers={"Sec-Fetch-Dest": "iframe"})
        assert answer.status_code == 302

    @pytest.mark.parametrize(
        ("method", "headers", "expected"),
        [
            ("get", {}, True),
            ("get", {"Sec-Fetch-Dest": "document"}, True),
            ("get", {"Sec-Fetch-Dest": "iframe"}, False),
            ("get", {"Sec-Fetch-Dest": "empty"}, False),
            ("post", {"Sec-Fetch-Dest": "empty"}, True),
        ],
    )
    def test_what_counts_as_a_persons_own(self, method, headers, expected):
        request = getattr(RequestFactory(), method)("/today/", headers=headers)
        assert is_persons_own(request) is expected

    def test_a_deactivated_person_is_out_at_once(self, people, sign_in):
        browser = sign_in(people.mother)
        assert browser.get("/today/").status_code == 200
        User.objects.filter(pk=people.mother.pk).update(is_active=False)
        assert browser.get("/today/").status_code == 302


class TestSecondFactor:
    @pytest.fixture(autouse=True)
    def _on(self, settings):
        settings.STAFF_SECOND_FACTOR = True

    def test_staff_without_one_get_only_where_they_set_it_up(self, people, sign_in):
        browser = sign_in(people.manager)
        for path in (
            "/admin/",
            "/",
            "/today/",
            "/settings/reminders/",
            "/accounts/password/change/",
        ):
            assert browser.get(path).headers["Location"] == "/accounts/2fa/totp/activate/"

    def test_patients_need_none(self, people, sign_in):
        assert sign_in(people.patient.user).get("/today/").status_code == 200

    def test_a_session_from_before_it_was_set_up_is_over(self, people, sign_in):
        browser = sign_in(people.manager)
        TOTP.activate(people.manager, generate_totp_secret())
        answer = browser.get("/admin/")
        assert answer.headers["Location"] == "/accounts/login/?next=/admin/"
        assert SESSION_KEY not in browser.session

    def test_a_password_alone_does_not_sign_in(self, people):
        TOTP.activate(people.manager, generate_totp_secret())
        browser = Client()
        credentials = {"login": people.manager.email, "password": PASSWORD}
        answer = browser.post("/accounts/login/", credentials)
        assert answer.headers["Location"] == "/accounts/2fa/authenticate/"
        assert SESSION_KEY not in browser.session

    def test_a_session_with_one_goes_on(self, people, sign_in, rf):
        TOTP.activate(people.manager, generate_totp_secret())
        browser = sign_in(people.manager)
        request = rf.get("/")
        request.session = browser.session
        record_authentication(request, people.manager, method="mfa", type="totp")
        request.session.save()
        assert browser.get("/admin/").status_code == 200


class TestReader:
    def test_pages_are_in_the_readers_language(self, people, sign_in):
        people.mother.language = "es"
        people.mother.save()
        answer = sign_in(people.mother).get("/today/", headers={"Accept-Language": "ar"})
        assert '<html lang="es"' in answer.text
        assert answer.headers["Content-Language"] == "es"


class TestReadAudit:
    def test_a_page_about_a_patient_is_noted(self, people, sign_in):
        before = AuditEvent.objects.count()
        sign_in(people.carer).get("/today/", REMOTE_ADDR="192.0.2.7")
        event = AuditEvent.objects.first()
        assert AuditEvent.objects.count() == before + 1
        assert (event.action, event.verb, event.actor, event.patient_id, event.address) == (
            "R",
            "today.read",
            people.carer,
            people.patient.pk,
            "192.0.2.7",
        )

    def test_without_the_audit_row_there_is_no_page(self, people, sign_in, monkeypatch):
        def broken(*args, **kwargs):
            raise DatabaseError

        browser = sign_in(people.patient.user)
        monkeypatch.setattr(audit, "record", broken)
        answer = browser.get("/today/")
        assert answer.status_code == 503
        assert people.patient.given_name not in answer.text
        assert "We will be back soon" in answer.text
