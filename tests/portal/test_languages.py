"""Choosing a language with and without a login, and marking what is not in it."""

import re

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation

from portal import actions, clock, languages
from portal.models import AuditEvent, User
from portal.tasks import answer_requests
from reminders import unsubscribe

CHOOSE = "/language/"


def language_of(page):
    return re.search(r'<html lang="([^"]+)" dir="([^"]+)"', page.content.decode()).groups()


def choose(browser, language, goes_to="/"):
    return browser.post(CHOOSE, {"language": language, "next": goes_to})


def test_every_language_has_its_own_name():
    assert languages.OWN_NAMES.keys() == dict(settings.LANGUAGES).keys()


@pytest.mark.django_db
class TestAStranger:
    def test_comes_in_the_language_of_the_browser(self):
        page = Client(headers={"Accept-Language": "es-MX,es;q=0.9"}).get("/")

        assert language_of(page) == ("es", "ltr")

    @pytest.mark.parametrize(
        ("language", "direction"),
        [("ar", "rtl"), ("es", "ltr"), ("en-us", "ltr"), ("en-gb", "ltr")],
    )
    def test_chooses_and_finds_it_again(self, language, direction):
        browser = Client(headers={"Accept-Language": "fr"})
        answer = choose(browser, language, "/accounts/login/")

        assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
        for address in ("/", "/accounts/login/", "/invitation/new/", "/no-such-page/"):
            assert language_of(browser.get(address)) == (language, direction), address

    def test_keeps_it_for_a_year(self):
        browser = Client()
        choose(browser, "es")

        kept = browser.cookies[settings.LANGUAGE_COOKIE_NAME]
        assert (kept.value, kept["max-age"], kept["httponly"]) == ("es", 365 * 24 * 60 * 60, True)

    @pytest.mark.parametrize("wrong", ["", "xx", "../es", "es'"])
    def test_what_is_no_language_changes_nothing(self, wrong):
        browser = Client(headers={"Accept-Language": "es"})
        choose(browser, wrong)

        assert settings.LANGUAGE_COOKIE_NAME not in browser.cookies
        assert language_of(browser.get("/")) == ("es", "ltr")

    def test_is_not_led_away_from_the_site(self):
        answer = choose(Client(), "es", "https://elsewhere.example/")

        assert answer["Location"] == "/"

    def test_an_address_with_a_language_changes_nothing(self):
        assert Client().get(CHOOSE, {"language": "es"}).status_code == 405


@pytest.mark.django_db
class TestSomebodySignedIn:
    def test_chooses_for_pages_and_mails(self, people, sign_in):
        browser = sign_in(people.patient.user)
        choose(browser, "ar", "/today/")

        people.patient.user.refresh_from_db()
        assert people.patient.user.language == "ar"
        assert language_of(browser.get("/today/")) == ("ar", "rtl")
        row = AuditEvent.objects.get(verb="user.set_reading")
        assert (row.actor_id, row.after) == (people.patient.user.pk, {"language": "ar"})

    def test_keeps_the_time_zone(self, people, sign_in):
        user = people.patient.user
        user.time_zone = "America/Lima"
        user.save()
        choose(sign_in(user), "es")

        user.refresh_from_db()
        assert (user.language, user.time_zone) == ("es", "America/Lima")

    def test_the_account_wins_over_what_was_chosen_in_the_browser_before(self, people, sign_in):
        browser = sign_in(people.patient.user)
        browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "ar"

        assert language_of(browser.get("/today/")) == ("en-gb", "ltr")

    def test_every_page_has_the_choice(self, people, sign_in):
        browser = sign_in(people.patient.user)

        for name in ("reminders:today", "patients:appointments", "procedures:guide_list"):
            page = browser.get(reverse(name)).content.decode()
            assert 'action="/language/"' in page, name
            assert 'lang="ar"' in page, name
            assert f'name="next" value="{reverse(name)}"' in page


@pytest.fixture
def invited(people, django_capture_on_commit_callbacks, mailoutbox):
    """Somebody who reads Spanish and has no way to sign in yet, and the address of the link in their mail."""
    user = User.objects.create_user("new@example.com", name="Nadia New", language="es")
    with django_capture_on_commit_callbacks(execute=True):
        actions.invite(user=user, clinic=people.clinic, by=people.clerk, now=clock.now())
    return user, re.search(r"/invitation/[^/\s]+/", mailoutbox[-1].body)[0]


class TestALinkInAMail:
    def test_an_invitation_and_its_page_speak_as_the_account(self, invited, mailoutbox):
        _user, address = invited

        assert mailoutbox[-1].subject == "Su invitación de Harbour Hip Clinic"
        browser = Client(headers={"Accept-Language": "en"})
        assert language_of(browser.get(address)) == ("es", "ltr")
        # The next page is about nobody.
        assert language_of(browser.get("/"))[0] == "en-gb"

    def test_what_was_chosen_on_the_way_in_becomes_the_accounts(self, invited):
        user, address = invited
        browser = Client()
        choose(browser, "ar", address)
        assert language_of(browser.get(address)) == ("ar", "rtl")

        browser.post(address, {"way": "code"})

        user.refresh_from_db()
        assert user.language == "ar"

    def test_who_chose_nothing_keeps_what_the_clinic_entered(self, invited):
        user, address = invited
        Client().post(address, {"way": "code"})

        user.refresh_from_db()
        assert user.language == "es"

    @pytest.mark.parametrize("page", ["reminders:unsubscribe", "reminders:mail_settings"])
    def test_a_link_that_works_without_a_login_speaks_as_its_reader(self, people, page):
        user = people.patient.user
        user.language = "es"
        user.save()
        token = unsubscribe.link(user.pk, "preparation").rstrip("/").rpartition("/")[2]
        address = reverse(page, args=[token])

        assert language_of(Client().get(address))[0] == "es"
        other = Client()
        choose(other, "ar", address)
        assert language_of(other.get(address))[0] == "ar"

    def test_a_code_by_mail_speaks_as_the_account(self, people, mailoutbox):
        user = people.patient.user
        user.language = "es"
        user.save()
        Client(headers={"Accept-Language": "en"}).post(
            "/accounts/login/code/", {"email": user.email}
        )
        answer_requests()

        assert mailoutbox[-1].subject == "Su código para iniciar sesión"
        assert "Nadie de la clínica" in mailoutbox[-1].body


class TestMarks:
    @pytest.mark.parametrize(
        ("reader", "language", "marks"),
        [
            ("ar", "en-gb", ' lang="en-gb" dir="ltr"'),
            ("es", "ar", ' lang="ar" dir="rtl"'),
            ("es", "es", ""),
            ("en-us", "en-gb", ""),
            ("es", "", ""),
        ],
    )
    def test_a_text_in_another_language_says_so(self, reader, language, marks):
        with translation.override(reader):
            assert languages.attributes(language) == marks

    def test_what_looks_like_markup_is_escaped(self):
        with translation.override("es"):
            assert languages.attributes('"><b') == ' lang="&quot;&gt;&lt;b" dir="ltr"'
