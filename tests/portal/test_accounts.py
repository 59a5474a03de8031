"""Colleagues' accounts: sign-ins are kept, sessions end when they must, and a lost second factor is reset."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from portal import actions, sign_ins
from portal.models import AuditEvent, PractitionerRole, SignIn
from tests.factories import NOW, PASSWORD, make_staff


def sign_in_by_form(email, password=PASSWORD):
    browser = Client(HTTP_USER_AGENT="Firefox on a phone")
    browser.post("/accounts/login/", {"login": email, "password": password})
    return browser


def is_in(browser):
    return browser.get("/admin/").status_code == 200


def test_a_sign_in_and_a_failed_one_are_kept_with_address_and_browser(people):
    sign_in_by_form(people.nurse.email)
    sign_in_by_form(people.nurse.email, "wrong")

    rows = people.nurse.sign_ins.values_list("is_successful", "ways", "address", "browser")

    assert set(rows) == {
        (True, "password", "127.0.0.1", "Firefox on a phone"),
        (False, "", "127.0.0.1", "Firefox on a phone"),
    }


def test_an_attempt_at_no_account_leaves_the_same_row_without_a_person(people):
    sign_in_by_form("stranger@example.com")

    assert SignIn.objects.values_list("user", "is_successful").get() == (None, False)


def test_old_sign_ins_are_forgotten(people):
    sign_in_by_form(people.nurse.email)

    assert sign_ins.forget_old(now=NOW + timedelta(days=399)) == 0
    assert sign_ins.forget_old(now=NOW + timedelta(days=401)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda p: actions.give_role(user=p.nurse, clinic=p.clinic, role="clerk", by=p.manager),
        lambda p: actions.take_role(membership=p.nurse.roles.get(), by=p.manager),
        lambda p: actions.set_active(user=p.nurse, is_active=False, clinic=p.clinic, by=p.manager),
        lambda p: actions.end_sessions(user=p.nurse, clinic=p.clinic, by=p.manager),
        lambda p: actions.reset_second_factor(
            user=p.nurse, clinic=p.clinic, by=p.manager, reason="lost"
        ),
    ],
)
def test_sessions_end_when_what_an_account_may_do_changes(people, sign_in, change):
    browser, colleague = sign_in(people.nurse), sign_in(people.surgeon)
    assert is_in(browser)

    change(people)

    assert not is_in(browser)
    assert is_in(colleague)


def test_giving_a_role_that_is_held_already_ends_nothing(people, sign_in):
    browser = sign_in(people.nurse)

    actions.give_role(user=people.nurse, clinic=people.clinic, role="nurse", by=people.manager)

    assert is_in(browser)


def test_role_changes_are_in_the_trail_with_whose_they_are(people):
    actions.give_role(user=people.nurse, clinic=people.clinic, role="clerk", by=people.manager)
    actions.take_role(membership=people.nurse.roles.get(role="clerk"), by=people.manager)

    given, taken = AuditEvent.objects.filter(verb__startswith="role.").order_by("pk")
    assert given.after == taken.before == {"role": "clerk", "user": str(people.nurse.pk)}
    assert {given.actor, taken.actor} == {people.manager}


def test_a_manager_sees_sign_ins_and_signs_a_colleague_out(people, sign_in):
    nurse = sign_in_by_form(people.nurse.email)
    browser = sign_in(people.manager)
    page = browser.get(reverse("admin:user_sign_ins", args=[people.nurse.pk])).content.decode()
    assert "Firefox on a phone" in page
    assert "127.0.0.1" in page

    address = reverse("admin:user_end_sessions", args=[people.nurse.pk])
    assert browser.post(address, {"reason": ""}).status_code == 200
    assert is_in(nurse)
    assert browser.post(address, {"reason": "phone lost"}).status_code == 302

    assert not is_in(nurse)
    event = AuditEvent.objects.get(verb="user.end_sessions")
    assert (event.actor, event.object_id, event.reason) == (
        people.manager, str(people.nurse.pk), "phone lost",
    )  # fmt: skip


def test_a_lost_second_factor_is_reset_by_another_manager_and_not_by_oneself(people, sign_in):
    for user in (people.nurse, people.manager):
        Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    browser = sign_in(people.manager)

    for user in (people.nurse, people.manager):
        browser.post(reverse("admin:user_reset_factor", args=[user.pk]), {"reason": "lost"})

    assert [row.user for row in Authenticator.objects.all()] == [people.manager]


def test_who_also_works_elsewhere_keeps_the_second_factor(people, sign_in):
    PractitionerRole.objects.create(user=people.nurse, clinic=people.other_clinic, role="nurse")
    address = reverse("admin:user_reset_factor", args=[people.nurse.pk])
    assert sign_in(people.manager).post(address, {"reason": "x"}).status_code == 404


def test_a_list_of_sign_ins_costs_the_same_for_one_and_many(
    people, sign_in, django_assert_num_queries
):
    other = make_staff(people.clinic, "nurse", email="n9@example.com")
    for user, times in ((people.nurse, 1), (other, 3)):
        for _ in range(times):
            SignIn.objects.create(user=user, is_successful=True, created_at=NOW)
    browser = sign_in(people.manager)
    browser.get("/admin/")
    for user in (people.nurse, other):
        with django_assert_num_queries(7):
            browser.get(reverse("admin:user_sign_ins", args=[user.pk]))


@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("clerk", 403)])
def test_an_auditor_asks_whether_the_trail_is_whole(
    people, sign_in, role, status, settings, tmp_path
):
    settings.VAR_DIR = tmp_path
    browser = sign_in(people.staff[role])
    address = reverse("admin:audit_chain")
    assert browser.get(address).status_code == status

    if status == 200:
        page = browser.post(address, {"ticket": "t"}, follow=True).content.decode()
        assert "whole:" in page
