"""The staff admin's frame and the clinic's own pages: the kill switch, staff and their roles, clinics and places."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from portal import once
from portal.actions import set_sending, take_role
from portal.models import AuditEvent, Invitation, Location, Role, SendingSwitch, User
from portal.staff_forms import ReasonForm
from tests.factories import make_location, make_staff

SENDING = "admin:sending"


def _page(client, name: str, *args) -> str:
    return client.get(reverse(name, args=args)).content.decode()


# --- The frame -------------------------------------------------------------------------------


def test_the_sidebar_shows_what_the_role_may_open_and_nothing_else(people, sign_in) -> None:
    seen = {
        role: [
            group["title"]
            for group in sign_in(user).get(reverse("admin:index")).context["sidebar_navigation"]
        ]
        for role, user in people.staff.items()
    }
    assert seen["manager"] == [
        "", "Patients", "Appointments and X-rays", "Messages", "Catalogue", "Clinic", "Audit",
    ]  # fmt: skip
    assert "Audit" not in seen["clerk"]
    assert "Appointments and X-rays" not in seen["auditor"]


def test_signing_out_ends_the_session(people, sign_in) -> None:
    client = sign_in(people.clerk)
    assert client.post(reverse("admin:logout")).url == "/"
    assert client.get(reverse("admin:index")).status_code == 302


def test_times_are_told_in_the_zone_of_the_clinic(people, sign_in) -> None:
    people.clinic.time_zone = "Asia/Tokyo"
    people.clinic.save()
    set_sending(is_on=False, by=people.manager, now=people.now, reason="Test")
    page = _page(sign_in(people.clerk), "admin:index")
    assert "2 March, 19:00" in page


# --- The kill switch -------------------------------------------------------------------------


def test_a_manager_stops_sending_with_a_reason_and_starts_it_again(people, sign_in) -> None:
    client = sign_in(people.manager)
    assert (
        "Please fill this in."
        in client.post(reverse(SENDING), {"is_on": "False", "reason": ""}).content.decode()
    )
    assert SendingSwitch.current().is_on
    client.post(reverse(SENDING), {"is_on": "False", "reason": "Wrong texts"})
    switch = SendingSwitch.current()
    assert (switch.is_on, switch.reason, switch.changed_by) == (
        False,
        "Wrong texts",
        people.manager,
    )
    client.post(reverse(SENDING), {"is_on": "True", "reason": ""})
    assert SendingSwitch.current().is_on
    assert list(AuditEvent.objects.filter(verb__startswith="sending.").values_list("verb", flat=True)) == [
        "sending.on", "sending.off",
    ]  # fmt: skip


def test_while_sending_is_stopped_every_page_says_so(people, sign_in) -> None:
    set_sending(is_on=False, by=people.manager, now=people.now, reason="Wrong texts")
    client = sign_in(people.radiographer)
    for name in ("admin:index", "admin:patients_patient_changelist", "admin:xrays"):
        page = _page(client, name)
        assert "Sending is stopped." in page
        assert "Wrong texts" in page


def test_while_sending_is_on_no_page_says_otherwise(people, sign_in) -> None:
    assert "Sending is stopped." not in _page(sign_in(people.radiographer), "admin:index")


@pytest.mark.parametrize("role", Role.values)
def test_stopping_and_starting_ask_for_their_own_rights(people, sign_in, role) -> None:
    client = sign_in(people.staff[role])
    client.post(reverse(SENDING), {"is_on": "False", "reason": "Test"})
    assert SendingSwitch.current().is_on == (role not in {"manager", "surgeon", "nurse"})
    set_sending(is_on=False, by=people.manager, now=people.now, reason="Test")
    client.post(reverse(SENDING), {"is_on": "True"})
    assert SendingSwitch.current().is_on == (role == "manager")


def test_a_second_press_does_not_turn_the_switch_back(people, sign_in) -> None:
    client = sign_in(people.manager)
    for _press in range(2):
        client.post(reverse(SENDING), {"is_on": "False", "reason": "Test"})
    assert not SendingSwitch.current().is_on
    assert AuditEvent.objects.filter(verb="sending.off").count() == 1


# --- Staff -----------------------------------------------------------------------------------


@pytest.fixture
def newcomer(people) -> dict[str, str]:
    return {
        "name": "Nora New", "email": "nora@example.com", "clinic": str(people.clinic.pk), "role": "nurse",
        "ticket": "a" * 32,
    }  # fmt: skip


def test_a_manager_invites_a_member_of_staff_once(people, newcomer, sign_in) -> None:
    client = sign_in(people.manager)
    for _press in range(2):
        client.post(reverse("admin:user_invite"), newcomer)
    nora = User.objects.get(email="nora@example.com")
    assert (nora.is_staff, [row.role for row in nora.roles.all()]) == (True, ["nurse"])
    assert Invitation.objects.get(user=nora).clinic == people.clinic


def test_nobody_is_invited_to_a_clinic_that_is_not_the_managers(people, newcomer, sign_in) -> None:
    sign_in(people.manager).post(
        reverse("admin:user_invite"), newcomer | {"clinic": str(people.other_clinic.pk)}
    )
    assert not User.objects.filter(email="nora@example.com").exists()


def test_a_role_is_given_and_ended(people, sign_in) -> None:
    client, url = sign_in(people.manager), reverse("admin:user_roles", args=[people.clerk.pk])
    client.post(url, {"clinic": str(people.clinic.pk), "role": "nurse"})
    held = people.clerk.roles.get(role="nurse")
    client.post(url, {"end": str(held.pk)})
    assert [row.role for row in people.clerk.roles.all()] == ["clerk"]
    assert AuditEvent.objects.filter(verb="role.take", actor=people.manager).count() == 1


def test_with_the_last_role_the_staff_admin_closes(people, sign_in) -> None:
    take_role(membership=people.nurse.roles.get(), by=people.manager)
    people.nurse.refresh_from_db()
    assert not people.nurse.is_staff
    assert sign_in(people.nurse).get(reverse("admin:index"), follow=True).status_code == 403


def test_nobody_ends_a_role_of_their_own(people) -> None:
    with pytest.raises(ValidationError):
        take_role(membership=people.manager.roles.get(), by=people.manager)


def test_a_role_at_another_clinic_is_not_the_managers_to_end(people, sign_in) -> None:
    far = people.clerk.roles.create(clinic=people.other_clinic, role="nurse")
    url = reverse("admin:user_roles", args=[people.clerk.pk])
    assert sign_in(people.manager).post(url, {"end": str(far.pk)}).status_code == 404
    assert people.clerk.roles.filter(pk=far.pk).exists()


def test_closing_an_account_locks_it_out(people, sign_in) -> None:
    url = reverse("admin:user_close", args=[people.clerk.pk])
    at_work = sign_in(people.clerk)
    sign_in(people.manager).post(url, {"reason": "Left", "is_active": "False"})
    assert at_work.get(reverse("admin:index")).status_code == 302
    assert AuditEvent.objects.get(verb="user.set_active").reason == "Left"


def test_an_account_that_works_elsewhere_too_is_not_one_managers_to_close(people, sign_in) -> None:
    people.clerk.roles.create(clinic=people.other_clinic, role="nurse")
    url = reverse("admin:user_close", args=[people.clerk.pk])
    assert (
        sign_in(people.manager).post(url, {"reason": "Left", "is_active": "False"}).status_code
        == 404
    )


def test_nobody_closes_their_own_account_nor_the_operators(people, sign_in) -> None:
    operator = User.objects.create_superuser("root@example.com", "x", name="Root")
    operator.roles.create(clinic=people.clinic, role="manager")
    client = sign_in(people.manager)
    own = client.post(
        reverse("admin:user_close", args=[people.manager.pk]), {"reason": "x", "is_active": "False"}
    )
    assert "Ask another manager" in own.content.decode()
    assert client.get(reverse("admin:user_close", args=[operator.pk])).status_code == 404


def test_the_list_of_staff_holds_no_patient_and_nobody_from_elsewhere(people, sign_in) -> None:
    page = _page(sign_in(people.manager), "admin:portal_user_changelist")
    assert "Clerk of Harbour Hip Clinic" in page
    for words in ("pat@example.com", "Meadow Clinic", "Maya Kidd"):
        assert words not in page


# --- Clinics and places ----------------------------------------------------------------------


def test_a_manager_changes_how_the_clinic_is_reached(people, sign_in) -> None:
    values = {
        "name": people.clinic.name, "language": "en-gb", "time_zone": "Europe/London",
        "phone_in_hours": "020 7946 0999", "opening_hours": people.clinic.opening_hours,
        "phone_out_of_hours": people.clinic.phone_out_of_hours,
        "emergency_wording": people.clinic.emergency_wording,
        "sending_from": "08:00", "sending_until": "20:00", "daily_cap": "4",
        "on_call_email": "", "escalate_after_minutes": "30",
    }  # fmt: skip
    client = sign_in(people.manager)
    client.post(reverse("admin:portal_clinic_change", args=[people.clinic.pk]), values)
    people.clinic.refresh_from_db()
    assert people.clinic.phone_in_hours == "020 7946 0999"
    event = AuditEvent.objects.get(verb="clinic.save")
    assert (event.before, event.after) == (
        {"phone_in_hours": "020 7946 0001"}, {"phone_in_hours": "020 7946 0999"},
    )  # fmt: skip
    upside_down = client.post(
        reverse("admin:portal_clinic_change", args=[people.clinic.pk]),
        values | {"sending_until": "07:00"},
    )
    assert upside_down.status_code == 200


def test_a_place_is_added_at_ones_own_clinic_alone(people, sign_in) -> None:
    client = sign_in(people.manager)
    values = {"name": "Ward 3", "address": "2 Quay Street", "directions": ""}
    url = reverse("admin:portal_location_add")
    client.post(url, values | {"clinic": str(people.clinic.pk)})
    client.post(url, values | {"clinic": str(people.other_clinic.pk)})
    assert [row.clinic for row in Location.objects.filter(name="Ward 3")] == [people.clinic]


def test_a_place_of_another_clinic_is_as_good_as_missing(people, sign_in) -> None:
    far = make_location(people.other_clinic)
    client = sign_in(people.manager)
    assert client.get(reverse("admin:portal_location_change", args=[far.pk])).status_code == 404


# --- Acting once -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_ticket_is_taken_once() -> None:
    ticket = once.new_ticket()
    assert not once.is_spent(ticket)
    assert [once.spend(ticket), once.spend(ticket)] == [True, False]
    assert once.is_spent(ticket)


@pytest.mark.django_db
def test_a_form_without_a_ticket_still_acts() -> None:
    form = ReasonForm({"reason": "x"})
    assert form.is_valid()
    assert not form.was_sent_before
    assert form.act_once()


def test_staff_of_two_clinics_hold_their_roles_apart(people, sign_in) -> None:
    both = make_staff(people.clinic, Role.AUDITOR, email="both@example.com")
    both.roles.create(clinic=people.other_clinic, role=Role.CLERK)
    client = sign_in(both)
    assert client.get(reverse("admin:patient_edit", args=[people.patient.pk])).status_code == 404
    assert (
        client.get(reverse("admin:patient_edit", args=[people.far_patient.pk])).status_code == 200
    )
