"""Invitations, roles and the sending switch."""

import re
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from portal import actions
from portal.models import AuditEvent, Invitation, PractitionerRole, SendingSwitch
from tests.factories import NOW, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def invited(people, mailoutbox, django_capture_on_commit_callbacks):
    """`invited()` invites `nobody` and returns the token in their mail."""

    def invite():
        with django_capture_on_commit_callbacks(execute=True):
            actions.invite(user=people.nobody, clinic=people.clinic, by=people.clerk, now=NOW)
        link = reverse("portal:accept_invitation", args=["TOKEN"]).replace("TOKEN", r"([\w-]+)")
        return re.search(link, mailoutbox[-1].body)[1]

    return invite


def test_the_link_in_the_mail_is_the_key_and_only_its_hash_is_kept(invited, people):
    token = invited()

    invitation = actions.open_invitation(token, NOW)
    assert invitation.user == people.nobody
    assert token not in str(Invitation.objects.values().get())


def test_a_wrong_an_old_and_a_withdrawn_link_open_nothing(invited):
    first = invited()
    second = invited()

    assert actions.open_invitation("wrong", NOW) is None
    assert actions.open_invitation(first, NOW) is None
    assert actions.open_invitation(second, NOW + timedelta(days=13)) is not None
    assert actions.open_invitation(second, NOW + timedelta(days=14)) is None


def test_a_closed_account_cannot_accept(invited, people):
    token = invited()
    people.nobody.is_active = False
    people.nobody.save()

    assert actions.open_invitation(token, NOW) is None


def test_an_invitation_is_accepted_once(invited, people):
    invitation = actions.open_invitation(invited(), NOW)
    stale = Invitation.objects.get(pk=invitation.pk)

    actions.accept_invitation(invitation=invitation, password="a long enough one 42", now=NOW)

    people.nobody.refresh_from_db()
    assert people.nobody.check_password("a long enough one 42")
    with pytest.raises(ValidationError, match="used already"):
        actions.accept_invitation(invitation=stale, password="another long one 42", now=NOW)
    people.nobody.refresh_from_db()
    assert people.nobody.check_password("a long enough one 42")


def test_an_invitation_that_ran_out_meanwhile_is_not_accepted(invited, people):
    invitation = actions.open_invitation(invited(), NOW)

    with pytest.raises(ValidationError):
        actions.accept_invitation(
            invitation=invitation, password="a long enough one 42", now=NOW + timedelta(days=15)
        )


def test_no_mail_leaves_for_an_invitation_that_was_not_stored(
    people, mailoutbox, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as callbacks:
        actions.invite(user=people.nobody, clinic=people.clinic, by=people.clerk, now=NOW)

    assert (len(callbacks), mailoutbox) == (1, [])


def test_an_invitation_the_server_does_not_take_is_noted(
    people, smtp_server, caplog, django_capture_on_commit_callbacks
):
    smtp_server.data_replies.append("451 4.3.0 later")
    caplog.set_level("ERROR")

    with django_capture_on_commit_callbacks(execute=True):
        actions.invite(user=people.nobody, clinic=people.clinic, by=people.clerk, now=NOW)

    assert "was not sent: temporary" in caplog.text
    assert "nobody@example.com" not in caplog.text
    assert Invitation.objects.get().refused_at is not None


def test_sending_is_stopped_with_a_reason_and_goes_on_without(people):
    assert SendingSwitch.current().is_on
    with pytest.raises(ValidationError, match="Say why"):
        actions.set_sending(is_on=False, by=people.manager, now=NOW, reason=" ")

    actions.set_sending(is_on=False, by=people.manager, now=NOW, reason="wrong texts " * 40)
    assert not SendingSwitch.current().is_on
    actions.set_sending(is_on=True, by=people.manager, now=NOW)

    assert (SendingSwitch.current().is_on, SendingSwitch.objects.count()) == (True, 1)
    assert list(AuditEvent.objects.order_by("id").values_list("verb", flat=True))[-2:] == [
        "sending.off",
        "sending.on",
    ]


def test_a_role_is_given_once_and_makes_a_member_of_staff(people):
    user = make_user()

    for _ in range(2):
        actions.give_role(user=user, clinic=people.clinic, role="nurse", by=people.manager)

    assert (user.is_staff, PractitionerRole.objects.filter(user=user).count()) == (True, 1)
    assert AuditEvent.objects.filter(verb="role.give").count() == 1


def test_the_last_role_taken_ends_being_staff(people):
    actions.give_role(
        user=people.nurse, clinic=people.other_clinic, role="nurse", by=people.manager
    )
    for membership, is_staff in zip(people.nurse.roles.all(), (True, False), strict=True):
        actions.take_role(membership=membership, by=people.manager)
        people.nurse.refresh_from_db()
        assert people.nurse.is_staff is is_staff


def test_nobody_takes_their_own_role(people):
    with pytest.raises(ValidationError, match="another manager"):
        actions.take_role(membership=people.manager.roles.get(), by=people.manager)
