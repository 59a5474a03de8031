"""Questionnaires as files: what is refused and where, what a reload keeps, and words in a reader's language."""

from datetime import date

import pytest

from procedures.loading import CATALOGUE, CatalogueError, load_catalogue, read_catalogue
from procedures.models import Questionnaire, RedFlagRule
from procedures.question_wording import advice_of, in_language, questions_of

FACTS = """\
facts:
  - {key: W2, topic: fever, statement: A fever., audience: any, sources: [S1]}
  - {key: W10, topic: numbness, statement: A numb leg., audience: any, sources: [S1]}
"""
QUESTIONS = """\
questionnaire: home
version: 1
audience: adult
languages: [es]
stage: {anchor: discharge, from: 0 days, until: 6 weeks}
text:
  en-gb: {title: How are you?, intro: Ask your physiotherapist.}
  es: {title: ¿Cómo está?, intro: Unas preguntas.}
questions:
  - key: temperature
    kind: number
    unit: celsius
    least: 34
    most: 43
    text:
      en-gb: {label: Your temperature?}
      es: {label: ¿Su temperatura?}
  - key: numb
    kind: choice
    choices: [none, cut, leg]
    text:
      en-gb: {label: Numb?, help: "Look for: {slot:clot_signs}", choices: {none: Nowhere, cut: Near the cut, leg: The leg}}
      es: {label: ¿Dormido?, choices: {none: Nada, cut: El corte, leg: La pierna}}
  - key: since
    kind: text
    asked_if: {question: numb, is: leg}
    text:
      en-gb: {label: Since when?}
      es: {label: ¿Desde cuándo?}
red_flags:
  - key: fever
    question: temperature
    comparison: at_least
    value: {settled: D3, otherwise: 38}
    severity: urgent
    sign: W2
    text:
      en-gb: {summary: Fever, advice: Call us now.}
      es: {summary: Fiebre, advice: Llámenos ahora.}
  - key: numb
    question: numb
    comparison: is
    value: leg
    severity: urgent
    sign: W10
    text:
      en-gb: {summary: Numb, advice: Call us now.}
"""  # noqa: E501
NAME = "questionnaires/home.yaml"

# What is spoilt, and what is said about it, with the line and the field.
FAULTS = [
    ("kind: number", "kind: numbr", ":11: questions[0].kind:", "is not one of"),
    ("version: 1\n", "", ":1: ", "“version” is missing"),
    ("from: 0 days", "from: soon", ":5: stage.from:", "is not written as it must be"),
    ("choices: [none, cut, leg]", "choices: [none, cut]", ":22: questions[1].text.en-gb.choices:", "for each choice"),
    ("    choices: [none, cut, leg]\n", "", ":18: questions[1]", "a choice, and nothing else, has choices"),
    ("      es: {label: ¿Su temperatura?}\n", "", ":15: questions[0].text:", "there are no words in es"),
    ("{slot:clot_signs}", "{slot:nothing}", ":22: questions[1].text.en-gb.help:", "there is no {slot:nothing}"),
    ("label: Your temperature?", 'label: "{slot:clot_signs}?"', ":16: questions[0].text.en-gb.label:", "placeholders"),
    ("{question: numb, is: leg}", "{question: cold, is: leg}", "asked_if.question:", "no other question “cold”"),
    ("{question: numb, is: leg}", "{question: numb, is: arm}", "asked_if.is:", "is no answer"),
    ("question: temperature", "question: heat", ":32: red_flags[0].question:", "there is no question “heat”"),
    ("comparison: at_least", "comparison: is", ":33: red_flags[0].comparison:", "makes no sense"),
    ("settled: D3", "settled: D99", ":34: red_flags[0].value.settled:", "there is no {settled:D99}"),
    ("value: leg", "value: arm", ":43: red_flags[1].value:", "is no answer to that question"),
    ("value: leg", "value: {settled: D3, otherwise: 1}", ":43: red_flags[1].value:", "only a number"),
    ("sign: W2", "sign: W3", ":36: red_flags[0].sign:", "there is no warning sign “W3”"),
    ("urgent\n    sign: W10", "soon\n    sign: W10", ":44: red_flags[1].severity:", "is not one of"),
    ("key: numb\n    question", "key: fever\n    question", "red_flags[1].key:", "stands here twice"),
    ("Call us now.}\n      es", '"Call {clinic_phone}."}\n      es', "red_flags[0].text.en-gb:", "placeholders"),
]  # fmt: skip


@pytest.fixture
def files(files):
    """The small catalogue of these tests, with a questionnaire and the signs it cites."""
    files.write("facts/warnings.yaml", FACTS)
    files.write(NAME, QUESTIONS)
    return files


@pytest.mark.parametrize(("old", "new", "where", "what"), FAULTS)
def test_a_fault_is_named_with_its_line_and_field(files, old, new, where, what):
    assert QUESTIONS.count(old) == 1
    files.write(NAME, QUESTIONS.replace(old, new))
    with pytest.raises(CatalogueError) as refusal:
        read_catalogue(files.path)
    told = str(refusal.value)
    assert NAME in told
    assert where in told
    assert what in told


@pytest.mark.django_db
def test_a_questionnaire_comes_in_with_its_questions_and_rules(files):
    load_catalogue(folder=files.path)
    stored = Questionnaire.objects.get()
    assert [one.key for one in stored.questions.all()] == ["temperature", "numb", "since"]
    rule = stored.rules.get(key="fever")
    assert (rule.sign.key, rule.severity, rule.value) == (
        "W2",
        "urgent",
        {"settled": "D3", "otherwise": 38},
    )
    assert load_catalogue(folder=files.path).counts["changed"] == 0


@pytest.mark.django_db
def test_a_reload_brings_in_what_changed_and_keeps_what_was_edited(files):
    load_catalogue(folder=files.path)
    RedFlagRule.objects.filter(key="numb").update(severity="emergency")
    files.write(NAME, QUESTIONS.replace("Your temperature?", "How warm are you?"))
    report = load_catalogue(folder=files.path)
    stored = Questionnaire.objects.get()
    assert stored.questions.get(key="temperature").words["en-gb"]["label"] == "How warm are you?"
    assert stored.rules.get(key="numb").severity == "emergency"
    assert [edit.field for edit in report.kept] == ["rule.numb"]


@pytest.mark.django_db
def test_a_question_that_is_gone_from_the_files_is_gone(files):
    load_catalogue(folder=files.path)
    last = QUESTIONS[QUESTIONS.index("  - key: since") : QUESTIONS.index("red_flags:")]
    files.change(NAME, last, "")
    load_catalogue(folder=files.path)
    assert [one.key for one in Questionnaire.objects.get().questions.all()] == [
        "temperature",
        "numb",
    ]


@pytest.mark.django_db
def test_words_come_in_the_readers_language_or_say_which_they_are_in(files):
    load_catalogue(folder=files.path)
    stored = Questionnaire.objects.get()
    spanish = questions_of(stored, "es", {})
    assert [(one.language, one.label) for one in spanish][:2] == [
        ("es", "¿Su temperatura?"), ("es", "¿Dormido?"),
    ]  # fmt: skip
    assert questions_of(stored, "ar", {})[0].language == "en-gb"
    assert in_language(stored.words, "en-us")[1]["intro"] == "Ask your physical therapist."
    numb = stored.rules.get(key="numb")
    assert advice_of(numb, "es").language == "en-gb"


@pytest.mark.django_db
def test_help_that_rests_on_an_empty_slot_is_left_out(files):
    load_catalogue(folder=files.path)
    stored = Questionnaire.objects.get()
    assert questions_of(stored, "en-gb", {})[1].help == ""
    filled = questions_of(stored, "en-gb", {"slot:clot_signs": "a swollen calf"})
    assert filled[1].help == "Look for: a swollen calf"


def test_a_stage_holds_its_first_day_and_not_its_last():
    stage = Questionnaire(from_value=0, from_unit="days", until_value=6, until_unit="weeks")
    home = date(2026, 3, 2)
    days = [date(2026, 3, 1), home, date(2026, 4, 12), date(2026, 4, 13)]
    assert [stage.is_for(home, day) for day in days] == [False, True, True, False]


def test_stages_of_one_audience_leave_no_day_out_and_ask_none_twice():
    rows = [row.data for row in read_catalogue(CATALOGUE).questionnaires]
    for audience in ("adult", "child"):
        stages = [
            (row["stage"]["from"], row["stage"]["until"])
            for row in rows
            if row["audience"] == audience and row["stage"]["anchor"] == "discharge"
        ]
        assert sorted(stages) == [("0 days", "6 weeks"), ("6 weeks", "12 months")]


def test_items_of_others_have_no_words_here():
    for row in read_catalogue(CATALOGUE).questionnaires:
        for question in row.data["questions"]:
            assert question.get("licensed", False) == ("text" not in question)
