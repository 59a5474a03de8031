"""Loading the catalogue: once, twice, after an edit, with and without force, beside an approved version."""

from datetime import time, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from procedures.actions import edit_text
from procedures.loading import load_catalogue, make_drafts
from procedures.models import (
    DisagreementValue,
    Fact,
    PathwayVersion,
    Procedure,
    Step,
    StepText,
)
from tests.factories import make_clinic

pytestmark = pytest.mark.django_db
PATHWAY = "pathways/pao-adult.yaml"


def test_rows_and_references_arrive(draft):
    fact = Fact.objects.get(key="M24")

    assert (fact.offset_from, fact.offset_to, fact.unit, fact.anchor) == (
        8,
        None,
        "weeks",
        "surgery",
    )
    assert [source.key for source in fact.sources.all()] == ["S1"]
    assert Procedure.objects.get(key="pao").parent.key == "hip"
    assert list(DisagreementValue.objects.values_list("position", "statement")) == [
        (1, "Not for eight weeks."),
        (2, "Not for three weeks."),
    ]


def test_a_clinic_gets_a_draft_with_the_number_1(draft):
    assert (draft.number, draft.status, len(draft.digest)) == (1, "draft", 64)
    assert [step.key for step in draft.steps.all()] == [
        "allergies", "driving", "xray", "school", "exercises",
    ]  # fmt: skip


def test_a_step_arrives_with_all_its_parts(draft):
    step = draft.steps.get(key="driving")

    assert (step.anchor, step.offset_value, step.offset_unit, step.at) == (
        "surgery", 8, "weeks", time(13),
    )  # fmt: skip
    assert (step.condition, step.late_policy, step.repeat_policy, step.is_essential) == (
        {"drives": True}, "catch_up", "never", False,
    )  # fmt: skip
    assert step.valid_for == timedelta(days=14)
    assert [fact.key for fact in step.facts.all()] == ["M24"]


def test_a_repetition_arrives_with_its_days_and_its_end(draft):
    step = draft.steps.get(key="exercises")

    assert (step.repeat_every_days, step.repeat_weekdays, step.repeat_count) == (1, [0, 2, 4], None)
    assert (step.repeat_until_anchor, step.repeat_until_value, step.repeat_until_unit) == (
        "surgery", 12, "weeks",
    )  # fmt: skip


def test_a_step_relies_on_the_disagreements_of_the_facts_it_cites(draft):
    assert [d.key for d in draft.steps.get(key="driving").disagreements.all()] == ["D3"]


def test_a_step_relies_on_the_slots_in_its_words_and_its_offset(draft):
    step = draft.steps.get(key="xray")

    assert [slot.key for slot in step.slots.all()] == ["clot_signs", "xray_weeks"]
    assert (step.offset_slot.key, step.offset_value, step.offset_unit) == ("xray_weeks", 1, "weeks")


def test_a_slot_before_the_anchor_keeps_its_direction(draft):
    assert draft.steps.get(key="school").offset_value == -1


def test_american_words_come_from_the_glossary_where_they_differ(draft):
    texts = StepText.objects.filter(step__version=draft, language="en-us")

    assert [(text.step.key, text.todo) for text in texts] == [
        ("allergies", "Tell your physical therapist."),
    ]


def test_american_words_of_a_step_win_over_the_glossary(files, clinic):
    files.change(
        PATHWAY,
        "body: Tell us **all** of them.}",
        "body: Tell us **all** of them.}\n      en-us: {todo: Tell your PT.}",
    )
    load_catalogue(folder=files.path)

    text = StepText.objects.get(step__key="allergies", language="en-us")
    assert (text.todo, text.title) == ("Tell your PT.", "Allergies")


def test_loading_twice_changes_nothing(draft, files):
    before = list(Step.objects.values_list("pk", "loaded"))

    report = load_catalogue(folder=files.path)

    assert (report.counts["new"], report.counts["changed"]) == (0, 0)
    assert (report.kept, report.drafts, report.gone) == ([], [], [])
    assert list(Step.objects.values_list("pk", "loaded")) == before


def test_loading_again_takes_what_the_files_changed(draft, files):
    files.change("facts/facts.yaml", "From three weeks.", "From four weeks.")
    files.change(PATHWAY, "offset: 8 weeks", "offset: 9 weeks")

    report = load_catalogue(folder=files.path)

    assert report.counts["changed"] == 2
    assert Fact.objects.get(key="M25").statement == "From four weeks."
    assert draft.steps.get(key="driving").offset_value == 9


def test_an_edit_is_kept_and_reported(draft, files):
    Fact.objects.filter(key="M25").update(statement="Our own words.")
    files.change("facts/facts.yaml", "From three weeks.", "From four weeks.")

    report = load_catalogue(folder=files.path)

    assert Fact.objects.get(key="M25").statement == "Our own words."
    assert [str(edit) for edit in report.kept] == [
        "fact M25, statement: here “Our own words.”, in the files “From four weeks.”",
    ]


def test_an_edit_of_one_field_lets_the_files_change_the_others(draft, files):
    Fact.objects.filter(key="M25").update(statement="Our own words.")
    files.change("facts/facts.yaml", "key: M25, topic: driving", "key: M25, topic: cars")

    load_catalogue(folder=files.path)

    fact = Fact.objects.get(key="M25")
    assert (fact.topic, fact.statement) == ("cars", "Our own words.")


def test_an_edit_survives_any_number_of_loads(draft, files, manager):
    edit_text(text=StepText.objects.get(step__key="school"), by=manager, title="Our school")

    for _ in range(3):
        report = load_catalogue(folder=files.path)

    assert StepText.objects.get(step__key="school").title == "Our school"
    assert [edit.field for edit in report.kept] == ["text.en-gb.title"]


def test_force_overwrites_and_says_so(draft, files):
    Fact.objects.filter(key="M25").update(statement="Our own words.")

    report = load_catalogue(folder=files.path, force=True)

    assert Fact.objects.get(key="M25").statement == "From three weeks."
    assert [edit.field for edit in report.overwritten] == ["statement"]


def test_a_translation_that_the_clinic_added_stays(draft, files):
    step = draft.steps.get(key="school")
    StepText.objects.create(
        step=step,
        language="es",
        subject="Una llamada",
        title="Colegio",
        todo="Llame.",
        body="Llame.",
    )
    files.change(PATHWAY, "body: Call the school.", "body: Call them.")

    load_catalogue(folder=files.path)

    assert {text.language: text.body for text in step.texts.all()} == {
        "en-gb": "Call them.", "es": "Llame.",
    }  # fmt: skip


def test_a_step_gone_from_the_files_goes_from_the_draft(draft, files):
    text = (files.path / PATHWAY).read_text()
    start, end = text.index("  - key: school"), text.index("  - key: exercises")
    files.write(PATHWAY, text[:start] + text[end:])

    load_catalogue(folder=files.path)

    assert not draft.steps.filter(key="school").exists()


def test_a_fact_gone_from_the_files_stays_and_is_reported(draft, files):
    text = (files.path / "facts/facts.yaml").read_text()
    files.write(
        "facts/facts.yaml",
        text + "  - {key: P10, topic: x, statement: X., audience: any, sources: [S1]}\n",
    )
    load_catalogue(folder=files.path)
    files.write("facts/facts.yaml", text)

    report = load_catalogue(folder=files.path)

    assert report.gone == ["P10: x"]
    assert Fact.objects.filter(key="P10").exists()


def test_an_approved_version_is_left_alone_and_changed_text_makes_the_next_draft(
    draft, files, approve
):
    approve()
    assert load_catalogue(folder=files.path).drafts == []
    files.change(PATHWAY, "offset: 8 weeks", "offset: 9 weeks")

    report = load_catalogue(folder=files.path)

    versions = PathwayVersion.objects.order_by("number")
    assert [(v.number, v.status) for v in versions] == [(1, "active"), (2, "draft")]
    assert [v.steps.get(key="driving").offset_value for v in versions] == [8, 9]
    assert report.drafts == [f"Socket operation, adult v2 ({draft.clinic})"]


def test_the_next_draft_takes_over_edits_but_not_resolved_offsets(draft, files, manager, approve):
    edit_text(text=StepText.objects.get(step__key="school"), by=manager, title="Our school")
    approve()
    files.change(PATHWAY, "offset: 8 weeks", "offset: 9 weeks")

    load_catalogue(folder=files.path)

    second = PathwayVersion.objects.get(number=2)
    assert StepText.objects.get(step__version=second, step__key="school").title == "Our school"
    assert second.steps.get(key="xray").offset_value == 1
    assert second.steps.count() == 5


def test_a_new_clinic_can_be_given_its_drafts(draft, files):
    other = make_clinic("Other clinic")

    report = make_drafts(clinic=other, folder=files.path)

    assert report.drafts == ["Socket operation, adult v1 (Other clinic)"]
    assert PathwayVersion.objects.filter(clinic=draft.clinic).count() == 1


def test_the_command_says_what_it_did(files, clinic):
    out = StringIO()

    call_command("load_catalogue", "--from", files.path, stdout=out)

    assert out.getvalue().splitlines() == [
        "Catalogue: 18 new, 0 changed, 0 unchanged.",
        "Draft made: Socket operation, adult v1 (Harbour Hip Clinic)",
    ]


def test_the_command_shows_what_force_would_overwrite(draft, files):
    Fact.objects.filter(key="M25").update(statement="Our own words.")
    out = StringIO()

    call_command("load_catalogue", "--from", files.path, stdout=out)

    assert out.getvalue().splitlines()[-2:] == [
        "Edited here and kept (--force would overwrite):",
        "  fact M25, statement: here “Our own words.”, in the files “From three weeks.”",
    ]


def test_a_dry_run_changes_nothing(draft, files):
    files.change("facts/facts.yaml", "From three weeks.", "From four weeks.")
    out = StringIO()

    call_command("load_catalogue", "--from", files.path, "--dry-run", stdout=out)

    assert "1 changed" in out.getvalue()
    assert Fact.objects.get(key="M25").statement == "From three weeks."


@pytest.mark.parametrize("option", [["--check"], []])
def test_the_real_catalogue_is_in_order(option):
    out = StringIO()

    call_command("load_catalogue", *option, stdout=out)

    assert out.getvalue().startswith(("The catalogue's files are in order.", "Catalogue: "))
