"""A version before approval: invented people's plans, every mail, the words that are missing. Nothing is written."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.urls import reverse

from patients.actions import sync_tasks
from procedures.actions import approve_version, fill_slot
from procedures.models import PathwayVersion, Slot
from reminders import emails
from reminders.models import Reminder
from reminders.previews import Draft
from tests.factories import NOW, make_version


def everything() -> dict[str, list[str]]:
    """Every row of every table, field by field."""
    return {
        model._meta.label: sorted(map(str, model._default_manager.values_list()))
        for model in apps.get_models()
        if model._meta.label not in {"sessions.Session", "portal.AuditEvent", "portal.User"}
    }


@pytest.fixture
def slot(people) -> Slot:
    return Slot.objects.create(key="first_weeks", name="First X-ray", kind="weeks", hint="Weeks.")


@pytest.fixture
def draft(people, slot) -> PathwayVersion:
    """The next version of the adults' pathway: an X-ray some weeks on, and a text that asks the clinic."""
    steps: dict[str, dict[str, Any]] = {
        "stop-smoking": {
            "category": "smoking_cessation", "offset_value": -5, "offset_unit": "weeks",
            "condition": {"uses_nicotine": True},
        },
        "pack-bag": {
            "offset_value": -2,
            "texts": {
                "en-gb": {"body": "Dear {reader_name}, surgery is on {surgery_date}. {slot:help}"},
                "es": {"subject": "Su próximo paso", "title": "Haga la maleta",
                       "todo": "Haga la maleta.", "body": "Operación: {surgery_date}."},
            },
        },
        "xray": {
            "category": "xray", "offset_value": 1, "offset_unit": "weeks", "offset_slot": slot,
            "window_days": 7, "ends_when": "xray_booked",
            "texts": {"en-gb": {"body": "Between {window_from} and {window_until}."}},
        },
        "xray-visit": {
            "category": "xray", "anchor": "appointment", "appointment_kind": "xray", "offset_value": -3,
            "texts": {"en-gb": {"body": "Come on {appointment_date} at {appointment_time}. {appointment_place}"}},
        },
        "wheelchair": {"offset_value": 3, "condition": {"uses_wheelchair": True}},
    }  # fmt: skip
    return make_version(
        people.clinic, steps, pathway=people.adult_version.pathway, number=2, is_approved=False
    )


def _titles(found: Draft) -> set[str]:
    [plan] = found.plans()
    return {line.title for phase in plan.phases for week in phase.weeks for line in week.lines}


def test_nothing_is_written(people, draft, sign_in) -> None:
    client = sign_in(people.manager)
    before = everything()
    for page in ("version_preview", "version_mail"):
        assert client.get(reverse(f"admin:{page}", args=[draft.pk])).status_code == 200
    assert everything() == before
    assert not Reminder.objects.filter(step__version=draft).exists()


def test_an_adult_who_smokes_gets_what_is_for_adults_who_smoke(people, draft) -> None:
    found = Draft(draft, NOW)
    assert _titles(found) == {"Stop smoking", "Pack bag", "Xray visit"}
    assert found.not_placed == ["Xray"]


def test_a_filled_slot_places_its_step_as_approval_will(people, draft, slot) -> None:
    fill_slot(slot=slot, clinic=people.clinic, value="6", by=people.manager, now=NOW)
    found = Draft(draft, NOW)
    assert "Xray" in _titles(found)
    assert found.not_placed == []
    [rule] = [rule for rule in found.rules if rule.key == "xray"]
    [mail] = [mail for mail in found.mails() if mail.step.key == "xray"]
    first = found.surgery_on + timedelta(weeks=6)
    assert emails.in_words(first) in mail.text
    step = draft.steps.get(key="pack-bag").texts.get(language="en-gb")
    step.body = "Dear {reader_name}."
    step.save()
    approved = approve_version(version=draft, by=people.manager, now=NOW)
    assert {r.key: r.offset for r in Draft(approved, NOW).rules}["xray"] == rule.offset


def test_a_child_reads_through_a_parent(people) -> None:
    found = Draft(people.child_version, NOW)
    [plan] = found.plans()
    lines = [line for phase in plan.phases for week in phase.weeks for line in week.lines]
    assert {"Cast care", "Plate removal", "Pack toys"} <= {line.title for line in lines}
    assert {name for line in lines for name in line.people} == {"Sample Reader"}
    assert all("Sample" in mail.text for mail in found.mails())


def test_a_pathway_for_everyone_is_shown_for_an_adult_and_for_a_child(people) -> None:
    version = make_version(people.clinic, {"a": {}}, audience="any", is_approved=False)
    assert len(Draft(version, NOW).plans()) == 2


def test_every_text_becomes_a_mail_with_stand_ins_for_what_is_missing(people, draft) -> None:
    mails = {(mail.step.key, mail.language): mail for mail in Draft(draft, NOW).mails()}
    assert set(mails) == {
        ("stop-smoking", "en-gb"), ("pack-bag", "en-gb"), ("pack-bag", "es"), ("xray", "en-gb"),
        ("xray-visit", "en-gb"), ("wheelchair", "en-gb"),
    }  # fmt: skip
    bag = mails["pack-bag", "en-gb"]
    assert bag.unfilled == ["slot:help"]
    assert "[help]" in bag.text
    assert "[help]" in bag.html
    assert "Operación" in mails["pack-bag", "es"].text
    assert mails["pack-bag", "es"].unfilled == []
    assert "at 10:30" in mails["xray-visit", "en-gb"].text


def test_a_mail_is_the_one_that_would_go_out(planned) -> None:
    """But for names and addresses: the same frame, the same words."""
    row = Reminder.objects.select_related("step").get(
        episode=planned.other_episode, step_key="day-before"
    )
    sent = emails.compose([row], [emails.Writer().draft(row)])
    found = {mail.step.key: mail for mail in Draft(planned.adult_version, NOW).mails()}
    assert found["day-before"].subject == sent["subject"]
    shown = found["day-before"].text.replace("Sample", "Otto").splitlines()
    differs = [line for line in sent["printed"].text.splitlines() if line not in shown]
    assert all("http" in line for line in differs)


def test_steps_without_words_in_a_language_are_named(people, draft) -> None:
    gaps = {gap.language_name: gap for gap in Draft(draft, NOW).gaps()}
    assert set(gaps) == {"Spanish", "Arabic"}
    assert "Pack bag" not in gaps["Spanish"].titles
    assert "Xray" in gaps["Spanish"].titles
    assert (gaps["Spanish"].is_whole, gaps["Arabic"].is_whole) == (False, True)


def test_the_page_shows_all_of_it_and_frames_the_mails(people, draft, sign_in) -> None:
    page = sign_in(people.surgeon).get(reverse("admin:version_preview", args=[draft.pk]))
    words = page.content.decode()
    for part in (
        "An adult who smokes",
        "Stop smoking",
        "Words that are missing",
        "Spanish",
        "Every mail",
    ):
        assert part in words
    assert words.count('<iframe class="sw-frame" sandbox=""') == 6
    assert "step=pack-bag&amp;language=es" in words


def test_a_mail_by_itself_brings_its_own_policy(people, draft, sign_in) -> None:
    url = reverse("admin:version_mail", args=[draft.pk])
    answer = sign_in(people.manager).get(url, {"step": "pack-bag", "language": "es"})
    assert "Operación" in answer.content.decode()
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert sign_in(people.manager).get(url, {"step": "none", "language": "es"}).status_code == 404


def test_the_version_page_leads_there(people, draft, sign_in) -> None:
    url = reverse("admin:procedures_pathwayversion_change", args=[draft.pk])
    page = sign_in(people.manager).get(url).content.decode()
    assert reverse("admin:version_preview", args=[draft.pk]) in page


@pytest.mark.parametrize("steps", [1, 3])
def test_the_preview_takes_the_same_queries_for_one_step_and_for_three(
    people, steps, django_assert_num_queries
) -> None:
    version = make_version(people.clinic, {f"s{n}": {} for n in range(steps)}, is_approved=False)
    version = PathwayVersion.objects.select_related("pathway__procedure", "clinic").get(
        pk=version.pk
    )
    with django_assert_num_queries(5):
        draft = Draft(version, NOW)
        draft.plans()
        draft.mails()
        draft.gaps()


# --- The day of review -----------------------------------------------------------------------


def _review(version: PathwayVersion, days: int) -> None:
    version.review_on = NOW.date() + timedelta(days=days)
    version.save()


def test_a_version_past_its_review_or_near_it_stands_on_the_first_page(people, sign_in) -> None:
    _review(people.adult_version, -1)
    _review(people.child_version, 30)
    _review(people.far_version, -9)
    sync_tasks(now=NOW)
    page = sign_in(people.surgeon).get(reverse("admin:index")).content.decode()
    part = page.partition("Pathways to read again")[2].partition("</section>")[0]
    assert "overdue since 1 Mar 2026" in part
    assert "due by 1 Apr 2026" in part
    assert str(people.far_version.pk) not in page


def test_a_version_with_time_left_does_not(people, sign_in) -> None:
    _review(people.adult_version, 31)
    page = sign_in(people.manager).get(reverse("admin:index")).content.decode()
    assert "No pathway is due for review." in page


def test_who_may_not_approve_is_not_asked_to_read(people, sign_in) -> None:
    _review(people.adult_version, -1)
    page = sign_in(people.nurse).get(reverse("admin:index")).content.decode()
    assert "Pathways to read again" not in page


def test_a_retired_version_is_not_read_again(people, sign_in) -> None:
    _review(people.adult_version, -1)
    people.adult_version.status = PathwayVersion.Status.RETIRED
    people.adult_version.save()
    page = sign_in(people.manager).get(reverse("admin:index")).content.decode()
    assert "overdue since" not in page
