"""Settling, filling, approving; and that an approved version never changes."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError

from portal.models import AuditEvent
from procedures.actions import (
    ApprovalRefused,
    DecisionRefused,
    approve_version,
    begin_draft,
    edit_text,
    fill_slot,
    resolve_disagreement,
)
from procedures.models import (
    Disagreement,
    DisagreementValue,
    PathwayVersion,
    Resolution,
    Slot,
    SlotValue,
    Step,
    StepText,
)
from procedures.querysets import ApprovedVersionIsFinal
from tests.factories import NOW, make_clinic, make_staff, make_version

pytestmark = pytest.mark.django_db

SLOT_VALUES = {"xray_weeks": "6", "school_weeks": "4", "clot_signs": "A hot calf."}


@pytest.fixture
def settle(draft, manager):
    """Settles one point of the draft's clinic."""

    def _settle(key="D3", **choice):
        point = Disagreement.objects.get(key=key)
        defaults = {"value": None if "own_value" in choice else point.values.first()}
        return resolve_disagreement(
            disagreement=point,
            clinic=draft.clinic,
            by=manager,
            now=NOW,
            **(defaults | {"reason": "Safer."} | choice),
        )

    return _settle


@pytest.fixture
def put(draft, manager):
    """Fills one slot of the draft's clinic."""

    def _put(key, value, **more):
        slot = Slot.objects.get(key=key)
        return fill_slot(slot=slot, clinic=draft.clinic, value=value, by=manager, now=NOW, **more)

    return _put


@pytest.fixture
def ready(draft, settle, put):
    """The draft with nothing left to block it."""
    settle()
    for key, value in SLOT_VALUES.items():
        put(key, value)
    return draft


def test_a_draft_names_every_open_point_and_empty_slot(draft, manager):
    with pytest.raises(ApprovalRefused) as caught:
        approve_version(version=draft, by=manager, now=NOW)

    assert caught.value.messages == [
        "Not settled: D3: Driving.",
        "Not filled: Signs of a clot (clot_signs).",
        "Not filled: Telling the school (school_weeks).",
        "Not filled: First X-ray (xray_weeks).",
    ]
    assert PathwayVersion.objects.get().is_draft


def test_one_open_point_is_enough_to_refuse(ready, manager):
    Resolution.objects.all().delete()

    with pytest.raises(ApprovalRefused, match="Not settled: D3: Driving"):
        approve_version(version=ready, by=manager, now=NOW)


def test_one_empty_slot_is_enough_to_refuse(ready, manager):
    SlotValue.objects.filter(slot__key="clot_signs").delete()

    with pytest.raises(ApprovalRefused, match="Signs of a clot"):
        approve_version(version=ready, by=manager, now=NOW)


def test_what_another_clinic_settled_does_not_count(draft, manager):
    other = make_clinic("Other clinic")
    point = Disagreement.objects.get(key="D3")
    resolve_disagreement(
        disagreement=point,
        clinic=other,
        value=point.values.first(),
        reason="x",
        by=manager,
        now=NOW,
    )

    with pytest.raises(ApprovalRefused, match="Not settled: D3"):
        approve_version(version=draft, by=manager, now=NOW)


def test_a_point_that_an_edit_brought_in_blocks_as_well(ready, manager):
    point = Disagreement.objects.create(key="D9", topic="Work")
    DisagreementValue.objects.create(disagreement=point, position=1, statement="Soon.")
    text = StepText.objects.get(step__key="school", language="en-gb")
    edit_text(text=text, by=manager, body="{settled:D9} {nonsense}")

    with pytest.raises(ApprovalRefused) as caught:
        approve_version(version=ready, by=manager, now=NOW)

    assert caught.value.messages == [
        "Not settled: D9: Work.",
        "There is no such placeholder: {nonsense}.",
    ]


def test_a_step_without_words_blocks(ready, manager):
    StepText.objects.filter(step__key="school").delete()

    with pytest.raises(ApprovalRefused, match="“school” has no words"):
        approve_version(version=ready, by=manager, now=NOW)


def test_a_version_without_steps_is_refused(clinic, manager):
    empty = make_version(clinic, is_approved=False)

    with pytest.raises(ApprovalRefused, match="It has no steps"):
        approve_version(version=empty, by=manager, now=NOW)


def test_approval_says_who_and_when_and_until_when(ready, manager):
    version = approve_version(version=ready, by=manager, now=NOW)

    assert (version.status, version.approved_by, version.approved_at, version.review_on) == (
        "active", manager, NOW, date(2027, 3, 2),
    )  # fmt: skip


def test_approval_puts_the_clinics_weeks_into_the_offsets(ready, manager):
    approve_version(version=ready, by=manager, now=NOW)

    steps = {step.key: step for step in ready.steps.all()}
    assert (steps["xray"].offset_value, steps["xray"].offset_unit) == (6, "weeks")
    assert (steps["school"].offset_value, steps["school"].offset_unit) == (-4, "weeks")
    assert (steps["driving"].offset_value, steps["driving"].offset_unit) == (8, "weeks")


def test_approval_is_audited(ready, manager):
    approve_version(version=ready, by=manager, now=NOW)

    event = AuditEvent.objects.get(verb="pathway_version.approve")
    assert (event.actor, event.clinic, event.object_id) == (manager, ready.clinic, str(ready.pk))
    assert event.before == {"status": "draft"}
    assert event.after == {
        "status": "active", "digest": ready.digest, "review_on": "2027-03-02",
    }  # fmt: skip


def test_approving_twice_is_refused(ready, manager):
    version = approve_version(version=ready, by=manager, now=NOW)

    with pytest.raises(ApprovalRefused, match="approved already"):
        approve_version(version=version, by=manager, now=NOW)


def test_a_new_draft_is_a_copy_and_its_approval_retires_the_old_version(ready, manager, put):
    first = approve_version(version=ready, by=manager, now=NOW)
    put("xray_weeks", "8")
    second = begin_draft(version=first, by=manager)
    approve_version(version=second, by=manager, now=NOW + timedelta(days=1))

    first.refresh_from_db()
    assert (first.status, second.status, second.number) == ("retired", "active", 2)
    assert first.steps.get(key="xray").offset_value == 6
    assert second.steps.get(key="xray").offset_value == 8
    assert [s.key for s in second.steps.all()] == [s.key for s in first.steps.all()]
    assert StepText.objects.filter(step__version=second).count() == 6
    assert AuditEvent.objects.get(verb="pathway_version.retire").object_id == str(first.pk)


def test_a_second_draft_is_refused(ready, manager):
    first = approve_version(version=ready, by=manager, now=NOW)
    begin_draft(version=first, by=manager)

    with pytest.raises(DecisionRefused, match="There is a draft"):
        begin_draft(version=first, by=manager)


# ---- An approved version never changes ----


@pytest.fixture
def approved(ready, manager):
    return approve_version(version=ready, by=manager, now=NOW)


def test_its_own_fields_cannot_change(approved):
    approved.number = 7
    with pytest.raises(ApprovedVersionIsFinal):
        approved.save()


def test_it_cannot_become_a_draft_again(approved):
    approved.status, approved.approved_at = "draft", None
    with pytest.raises(ApprovedVersionIsFinal):
        approved.save()


def test_it_can_be_retired_and_its_review_put_off(approved):
    approved.status, approved.review_on = "retired", date(2028, 1, 1)
    approved.save()

    assert PathwayVersion.objects.get().status == "retired"


def _change_step(version):
    step = version.steps.first()
    step.offset_value = 99
    step.save()


def _move_step_elsewhere(version):
    draft = PathwayVersion.objects.create(pathway=version.pathway, clinic=version.clinic, number=2)
    step = version.steps.first()
    step.version = draft
    step.save()


def _change_text(version):
    text = StepText.objects.filter(step__version=version).first()
    text.body = "Something else."
    text.save()


def _edit_text(version):
    text = StepText.objects.filter(step__version=version).first()
    edit_text(text=text, by=version.approved_by, body="Something else.")


def _add_text(version):
    step = version.steps.first()
    StepText.objects.create(step=step, language="es", subject="a", title="a", todo="a", body="a")


@pytest.mark.parametrize(
    "change",
    [
        _change_step,
        _move_step_elsewhere,
        _change_text,
        _edit_text,
        _add_text,
        lambda version: version.delete(),
        lambda version: version.steps.first().delete(),
        lambda version: version.steps.first().texts.first().delete(),
        lambda version: version.steps.update(offset_value=99),
        lambda version: version.steps.all().delete(),
        lambda version: StepText.objects.update(body="x"),
        lambda version: StepText.objects.all().delete(),
        lambda version: PathwayVersion.objects.update(number=9),
        lambda version: PathwayVersion.objects.all().delete(),
        lambda version: Step.objects.bulk_update(version.steps.all(), ["offset_value"]),
        lambda version: Step.objects.create(
            version=version, key="new", position=9, category="recovery", anchor="surgery",
            offset_value=1, offset_unit="days", at="09:00",
        ),
        lambda version: Step.objects.bulk_create([Step(
            version=version, key="new", position=9, category="recovery", anchor="surgery",
            offset_value=1, offset_unit="days", at="09:00",
        )]),
    ],
)  # fmt: skip
def test_neither_it_nor_its_steps_and_words_can_change(approved, change):
    before = _picture(approved)

    with pytest.raises(ApprovedVersionIsFinal):
        change(approved)

    assert _picture(approved) == before


def _picture(version):
    steps = list(version.steps.values_list("pk", "key", "offset_value").order_by("position"))
    texts = list(StepText.objects.values_list("pk", "body").order_by("pk"))
    return PathwayVersion.objects.filter(pk=version.pk).values().get(), steps, texts


# ---- Settling and filling ----


def test_a_value_of_the_sources_can_be_chosen(settle, manager):
    resolution = settle()

    assert (str(resolution), resolution.resolved_by, resolution.resolved_at) == (
        "Not for eight weeks.", manager, NOW,
    )  # fmt: skip
    event = AuditEvent.objects.get(verb="disagreement.resolve")
    assert (event.after, event.reason) == (
        {"disagreement": "D3", "value": "Not for eight weeks."}, "Safer.",
    )  # fmt: skip


def test_the_clinic_can_set_its_own_value_and_change_its_mind(settle):
    settle()
    settle(own_value="  Not for ten weeks.  ", reason="Our surgeons agree.")

    assert str(Resolution.objects.get()) == "Not for ten weeks."
    event = AuditEvent.objects.filter(verb="disagreement.resolve").first()
    assert (event.action, event.before) == ("U", {"value": "Not for eight weeks."})


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"value": None}, "Choose one of the values"),
        ({"own_value": "Mine.", "value": "first"}, "not both"),
        ({"own_value": "   "}, "Choose one of the values"),
        ({"reason": "  "}, "Say why"),
        ({"is_demo_value": True}, "demo clinic only"),
    ],
)
def test_an_unfit_resolution_is_refused(settle, choice, message):
    if choice.get("value") == "first":
        choice = choice | {"value": DisagreementValue.objects.first()}

    with pytest.raises(DecisionRefused, match=message):
        settle(**choice)

    assert not Resolution.objects.exists()


def test_a_value_of_another_point_is_refused(settle):
    other = Disagreement.objects.create(key="D9", topic="Work")
    foreign = DisagreementValue.objects.create(disagreement=other, position=1, statement="Soon.")

    with pytest.raises(DecisionRefused, match="does not belong"):
        settle(value=foreign)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("xray_weeks", "six"),
        ("xray_weeks", "-6"),
        ("xray_weeks", "6.5"),
        ("xray_weeks", "٦"),
        ("xray_weeks", "521"),
        ("night_phone", "call us"),
        ("night_phone", "12"),
        ("clot_signs", "  "),
        ("clot_signs", "x" * 501),
    ],
)
def test_an_unfit_slot_value_is_refused(put, key, value):
    with pytest.raises(DecisionRefused):
        put(key, value)

    assert not SlotValue.objects.exists()


def test_a_slot_can_be_filled_again(put, manager):
    put("night_phone", "020 7946 0000")
    filled = put("night_phone", " +44 20 7946 0999 ")

    assert (filled.value, filled.filled_by, filled.is_demo_value) == (
        "+44 20 7946 0999", manager, False,
    )  # fmt: skip
    assert [(e.action, e.before) for e in AuditEvent.objects.filter(verb="slot.fill")] == [
        ("U", {"value": "020 7946 0000"}), ("C", {}),
    ]  # fmt: skip


def test_demo_values_are_refused_outside_the_demo_clinic(put):
    with pytest.raises(DecisionRefused, match="demo clinic only"):
        put("night_phone", "020 7946 0000", is_demo_value=True)


def test_a_text_that_does_not_fit_is_refused(draft, manager):
    text = StepText.objects.get(step__key="school")

    with pytest.raises(ValidationError, match="subject"):
        edit_text(text=text, by=manager, subject="x" * 79)


def test_staff_see_the_versions_of_their_clinics(draft, manager):
    other = make_clinic("Other clinic")
    stranger = make_staff(other, "manager")

    assert list(PathwayVersion.objects.visible_to(manager)) == [draft]
    assert list(PathwayVersion.objects.visible_to(stranger)) == []
