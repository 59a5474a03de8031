"""The catalogue in the staff admin: who sees it, who settles, fills and approves, and that audit has it."""

import pytest
from django.test import Client
from django.urls import reverse

from portal.models import AuditEvent
from procedures.models import (
    Disagreement,
    Fact,
    PathwayVersion,
    Procedure,
    Resolution,
    Slot,
    SlotValue,
    Source,
    StepText,
)
from tests.factories import make_clinic, make_staff, make_user

pytestmark = pytest.mark.django_db


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client(manager):
    return signed_in(manager)


def change_url(row) -> str:
    return reverse(f"admin:procedures_{row._meta.model_name}_change", args=[row.pk])


def list_url(model) -> str:
    return reverse(f"admin:procedures_{model._meta.model_name}_changelist")


LISTED = [Source, Procedure, Fact, Disagreement, Slot, PathwayVersion, StepText]


@pytest.mark.parametrize("model", LISTED)
@pytest.mark.parametrize("role", ["manager", "surgeon", "nurse", "clerk", "auditor"])
def test_every_role_reads_the_catalogue(draft, model, role):
    user = make_staff(draft.clinic, role, email=f"{role}@example.com")

    client = signed_in(user)
    assert client.get(list_url(model)).status_code == 200
    assert client.get(change_url(model.objects.first())).status_code == 200


@pytest.mark.parametrize("model", LISTED)
def test_nobody_without_a_role_does(draft, model):
    client = signed_in(make_user(is_staff=True))

    assert client.get(list_url(model)).status_code in (302, 403)
    assert client.get(change_url(model.objects.first())).status_code in (302, 403)


@pytest.mark.parametrize("model", [PathwayVersion, StepText])
def test_a_version_of_another_clinic_answers_like_one_that_does_not_exist(draft, model):
    stranger = signed_in(make_staff(make_clinic("Other clinic"), "manager"))
    row = model.objects.first()
    missing = change_url(row).replace(str(row.pk), "00000000-0000-4000-8000-000000000000")

    assert stranger.get(change_url(row)).status_code == 404
    assert stranger.get(missing).status_code == 404
    assert stranger.post(change_url(row), {"approve": "1"}).status_code == 404


def test_what_another_clinic_decided_is_not_shown(draft, approve, client):
    approve()
    stranger = signed_in(make_staff(make_clinic("Other clinic"), "manager"))

    assert "Safer." in client.get(change_url(Disagreement.objects.get())).text
    assert "Safer." not in stranger.get(change_url(Disagreement.objects.get())).text
    assert "A hot calf." in client.get(list_url(Slot)).text
    assert "A hot calf." not in stranger.get(list_url(Slot)).text


def test_a_manager_settles_a_point(draft, client, manager):
    point = Disagreement.objects.get()
    value = point.values.last()

    response = client.post(
        change_url(point), {"clinic": draft.clinic.pk, "choice": value.pk, "reason": "Our audit."}
    )

    assert response.status_code == 302
    resolution = Resolution.objects.get()
    assert (resolution.value, resolution.resolved_by, resolution.clinic) == (
        value,
        manager,
        draft.clinic,
    )
    assert AuditEvent.objects.get(verb="disagreement.resolve").reason == "Our audit."


def test_a_manager_settles_a_point_in_their_own_words(draft, client):
    client.post(
        change_url(Disagreement.objects.get()),
        {"clinic": draft.clinic.pk, "choice": "own", "own_value": "Ten weeks.", "reason": "Ours."},
    )

    assert str(Resolution.objects.get()) == "Ten weeks."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"choice": "own", "reason": "x"}, "Choose one of the values"),
        ({"choice": "first"}, "Please fill this in."),
        ({"reason": "x"}, "Please choose one."),
    ],
)
def test_an_incomplete_answer_is_explained(draft, client, data, message):
    if data.get("choice") == "first":
        data = data | {"choice": Disagreement.objects.get().values.first().pk}

    response = client.post(
        change_url(Disagreement.objects.get()), data | {"clinic": draft.clinic.pk}
    )

    assert message in response.text
    assert "Error: " in response.text
    assert not Resolution.objects.exists()


def test_nobody_settles_a_point_for_another_clinic(draft, client):
    other = make_clinic("Other clinic")
    value = Disagreement.objects.get().values.first()

    client.post(
        change_url(Disagreement.objects.get()),
        {"clinic": other.pk, "choice": value.pk, "reason": "x"},
    )

    assert not Resolution.objects.exists()


@pytest.mark.parametrize("role", ["nurse", "physiotherapist", "radiographer", "clerk", "auditor"])
def test_other_roles_cannot_settle_fill_or_approve(draft, role):
    client = signed_in(make_staff(draft.clinic, role, email=f"{role}@example.com"))
    point, slot = Disagreement.objects.get(), Slot.objects.get(key="clot_signs")
    choice = {"choice": point.values.first().pk, "reason": "x", "clinic": draft.clinic.pk}

    assert client.post(change_url(point), choice).status_code == 403
    assert (
        client.post(change_url(slot), {"clinic": draft.clinic.pk, "value": "x"}).status_code == 403
    )
    assert client.post(change_url(draft), {"approve": "1"}).status_code == 403
    assert (Resolution.objects.count(), SlotValue.objects.count()) == (0, 0)
    assert PathwayVersion.objects.get().is_draft


def test_a_manager_fills_a_slot(draft, client):
    slot = Slot.objects.get(key="xray_weeks")

    client.post(change_url(slot), {"clinic": draft.clinic.pk, "value": "6"})

    assert SlotValue.objects.get().value == "6"


def test_a_value_that_does_not_fit_is_explained(draft, client):
    slot = Slot.objects.get(key="xray_weeks")

    response = client.post(change_url(slot), {"clinic": draft.clinic.pk, "value": "six"})

    assert "write a whole number of weeks" in response.text
    assert not SlotValue.objects.exists()


def test_a_draft_shows_what_blocks_it_and_no_button(draft, client):
    text = client.get(change_url(draft)).text

    assert "Not settled:" in text
    assert "D3: Driving" in text
    assert "First X-ray" in text
    assert "Approve this version" not in text


def test_a_draft_says_in_which_languages_words_are_missing(draft, client):
    step = draft.steps.get(key="school")
    StepText.objects.create(
        step=step,
        language="es",
        subject="Una llamada",
        title="Colegio",
        todo="Llame.",
        body="Llame.",
    )

    text = client.get(change_url(draft)).text

    assert "Spanish: 4 of 5 steps" in text
    assert "Arabic: 5 of 5 steps" in text
    assert "English (US):" not in text


def test_a_version_shows_every_step_and_every_text(draft, client):
    text = client.get(change_url(draft)).text

    assert "4 weeks before surgery, 09:30" in text
    assert "weeks set by the clinic, after surgery, 09:30, open for 14 days" in text
    assert "Mon, Wed, Fri, until 12 weeks after surgery" in text
    assert "Tell us <strong>all</strong> of them." in text
    assert "Tell your physical therapist." in text
    assert "[settled:D3]" in text


def test_a_manager_approves_a_draft_that_is_ready(draft, approve, client, manager):
    approve()
    draft.refresh_from_db()
    client.post(change_url(draft), {"begin": "1"})
    second = PathwayVersion.objects.get(number=2)
    page = client.get(change_url(second)).text
    assert "Approve this version" in page

    client.post(change_url(second), {"approve": "1", "review_on": "2027-01-31"})

    second.refresh_from_db()
    assert (second.status, second.approved_by, str(second.review_on)) == (
        "active",
        manager,
        "2027-01-31",
    )


def test_approving_a_draft_that_is_not_ready_says_why(draft, client):
    response = client.post(change_url(draft), {"approve": "1"})

    assert "Not settled: D3: Driving." in response.text
    assert PathwayVersion.objects.get().is_draft


def test_pressing_the_button_twice_approves_once(draft, approve, client):
    approve()
    ticket = {"begin": "1", "ticket": "a" * 32}
    client.post(change_url(draft), ticket)
    client.post(change_url(draft), ticket)

    assert PathwayVersion.objects.count() == 2


def test_a_text_of_a_draft_can_be_edited(draft, client):
    text = StepText.objects.get(step__key="school")
    data = {"subject": "A call", "title": "School", "todo": "Call.", "body": "Call *them*."}

    response = client.post(change_url(text), data)

    assert response.status_code == 302
    text.refresh_from_db()
    assert (text.subject, text.body) == ("A call", "Call *them*.")
    event = AuditEvent.objects.get(verb="step_text.edit")
    assert event.before == {"subject": "One call", "body": "Call the school."}


def test_a_text_of_an_approved_version_cannot(draft, approve, client):
    approve()
    text = StepText.objects.get(step__key="school")

    response = client.post(
        change_url(text), {"subject": "x", "title": "x", "todo": "x", "body": "x"}
    )

    assert response.status_code == 403
    assert StepText.objects.get(step__key="school").subject == "One call"


@pytest.mark.parametrize("model", [Fact, Disagreement, Slot, PathwayVersion, StepText])
def test_lists_cost_the_same_however_many_rows(draft, client, model, django_assert_max_num_queries):
    client.get(list_url(model))  # Content types and the like are looked up once.

    with django_assert_max_num_queries(16):
        client.get(list_url(model))
