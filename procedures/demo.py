"""Settles the demo clinic: every decision and slot its pathways and pages need, marked as demo values, and approval.

No other clinic can be settled this way: the actions refuse demo values elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from portal.models import Clinic
from procedures.actions import approve_version, fill_slot, resolve_disagreement
from procedures.approval import blockers
from procedures.models import Disagreement, PathwayVersion, Slot
from procedures.offsets import Offset

if TYPE_CHECKING:
    from portal.models import User

READ_AGAIN_SOON = "metalwork-adult"
REASON = "Demo value, chosen so that the demo has something to show. No clinician has looked at it."

# The demo clinic's choice for each point, where it is not the sources' first value. The choice is
# always the more careful one.
OWN_VALUES: Mapping[str, str] = {
    "D1": "Adults stay about four nights, children about six.",
    "D8": "Desk work after about four weeks, other work after about three months.",
    "D12": "No running or jumping for six months. Then build it up slowly.",
    "D20": "We talk about it at two years.",
    "D22": "Stop all of them. If that is too hard, talk to us before you use a patch.",
    "D23": "38 °C (100.4 °F) or more, or shivering.",
    "D24": "numb skin close to the cut is normal.",
    "D25": "at any time.",
    "D26": "Most people get a blood thinner for a while.",
    "D31": "The times stand in the admission letter.",
}

SLOT_VALUES: Mapping[str, str] = {
    "xray_first_weeks": "6",
    "xray_second_weeks": "12",
    "xray_third_weeks": "26",
    "child_xray_first_weeks": "6",
    "child_xray_second_weeks": "12",
    "child_xray_third_weeks": "52",
    "fasting_letter": "page 1 of your admission letter, in the blue box.",
    "medicines_rule": "Page 2 of your admission letter says which ones, and when.",
    "smoking_help": "Call our stop-smoking nurse on the clinic's number.",
    "smoking_shortest_weeks": "4",
    "smoking_relapse_contact": "The stop-smoking nurse.",
    "weight_bearing_adult": "Put only the weight of your foot on the floor until we tell you more.",
    "weight_bearing_child": "No standing on the leg until we tell you.",
    "full_weight_bearing": "When the surgeon has seen the second X-ray and says so.",
    "wound_dressing_rule": "leave it on for seven days, and change it if it gets wet.",
    "wound_check_days": "14",
    "stitch_removal_rule": "they dissolve by themselves.",
    "bathing_rule": "shower from day three with the dressing covered, no bath for four weeks.",
    "sleeping_position": "On your back, with a pillow between your knees, for six weeks.",
    "sexual_activity_rule": "Ask us. There is nothing to be shy about.",
    "flying_rule": "No flight for six weeks. Ask us before a long one.",
    "blood_thinner_rule": "Take your blood thinner each day and wear your stockings until we say stop.",
    "leg_clot_signs": "pain, swelling, warmth or redness in one calf or thigh.",
    "driving_clearance": "Your surgeon tells you at your visit whether you may drive.",
    "physio_first_visit_weeks": "2",
    "physio_frequency": "Most people come once a week at first.",
    "hydrotherapy_rule": "When the wound is closed, if your physiotherapist says so.",
    "first_clinic_review_weeks": "6",
    "preparation_lead_weeks": "4",
    "outcome_questionnaires": "None in the demo.",
    "child_school_letter_weeks": "6",
    "child_school_return_weeks": "6",
    "child_seating_review_weeks": "8",
    "child_pain_plan": "Give it about half an hour before you move your child.",
    "positioning_device_rule": "worn day and night for six weeks, off for washing.",
    "child_metalwork_review": "At two years, with the surgeon.",
    "child_recipients": "All parents and carers with access.",
    "combined_rules": "The ward writes your own rules on the first page of your letter.",
    "metalwork_after_rule": "Walk as you can. No running, jumping or heavy lifting until we say so.",
    "metalwork_visit_weeks": "6",
    "child_metalwork_review_weeks": "78",
    "realignment_after_rule": "Walk with two crutches, and do not bend the hip past a right angle.",
    "realignment_visit_weeks": "2",
    "surgery_moved_rule": "A nurse calls the family the same day.",
    "phone_in_hours": "020 7946 0000",
    "phone_out_of_hours": "020 7946 0999",
}


class NotTheDemoClinic(ValueError):
    """Only the demo clinic may be settled with demo values."""


def settle_demo_clinic(*, clinic: Clinic, by: User, now: datetime) -> list[PathwayVersion]:
    """Decide, fill and approve what the demo clinic's drafts need; returns the versions approved.

    Safe to repeat: what is settled stays. `now` is an aware moment. Raises NotTheDemoClinic.
    """
    if not clinic.is_demo:
        raise NotTheDemoClinic(f"{clinic} is not the demo clinic.")
    _settle_pages(clinic, by=by, now=now)
    drafts = list(PathwayVersion.objects.filter(clinic=clinic).drafts())
    for draft in drafts:
        found = blockers(draft)
        for disagreement in found.disagreements:
            _settle(disagreement, clinic, by=by, now=now)
        for slot in found.slots:
            _fill(slot, clinic, by=by, now=now)
    return [
        approve_version(version=draft, by=by, now=now, review_on=_review_on(draft, now))
        for draft in drafts
    ]


def _review_on(draft: PathwayVersion, now: datetime) -> date | None:
    """In two years, but one pathway in one: the demo's past is longer than that, so it has one to read again."""
    if draft.pathway.key == READ_AGAIN_SOON:
        return None
    return Offset(2, "years").added_to(now.astimezone(draft.clinic.zone).date())


def _settle_pages(clinic: Clinic, *, by: User, now: datetime) -> None:
    """Decide what the guide's pages rest on as well, so that the demo's guide has no gaps."""
    on_pages = {"page_sections__isnull": False}
    for disagreement in Disagreement.objects.filter(**on_pages).distinct():
        if not disagreement.resolutions.filter(clinic=clinic).exists():
            _settle(disagreement, clinic, by=by, now=now)
    for slot in Slot.objects.filter(**on_pages).distinct():
        if not slot.values.filter(clinic=clinic).exists():
            _fill(slot, clinic, by=by, now=now)


def _settle(disagreement: Disagreement, clinic: Clinic, *, by: User, now: datetime) -> None:
    own_value = OWN_VALUES.get(disagreement.key, "")
    resolve_disagreement(
        disagreement=disagreement,
        clinic=clinic,
        value=None if own_value else disagreement.values.first(),
        own_value=own_value,
        reason=REASON,
        by=by,
        now=now,
        is_demo_value=True,
    )


def _fill(slot: Slot, clinic: Clinic, *, by: User, now: datetime) -> None:
    fill_slot(
        slot=slot, clinic=clinic, value=SLOT_VALUES[slot.key], by=by, now=now, is_demo_value=True
    )
