"""Words and mails from plans are the same as those from templates, for whatever somebody is called."""

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import mark_safe
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.models import Clinic, Language
from procedures.models import Category, StepText
from procedures.wording import UnfilledPlaceholder, render
from reminders import compiled
from reminders.emails import Item

SETTINGS = settings(deadline=None, max_examples=100)
NAMES = ["patient_name", "reader_name", "surgery_date", "appointment_place"]
FIXED = {
    "clinic_name": "Harbour & Hip",
    "clinic_phone": "020 7946 0001",
    "emergency_wording": "In an emergency call 999.",
    "slot:smoking_help": "Call *0300 123* or see [our page](https://a.example).",
}
BODY = """Dear {reader_name}, surgery of **{patient_name}** is on {surgery_date}.

1. Come to {appointment_place}
2. _{patient_name}_: wait.

> {emergency_wording}

- {slot:smoking_help}
- [Call {clinic_phone}](tel:02079460001), {reader_name}!
"""

# What people type into names and places, signs of Markdown and HTML among it.
signs = st.text(
    st.sampled_from("aB9 .,-_*`<>&\"'()[]{}#!\\/:;~+=|é؟ا’»\t\n"), min_size=1, max_size=12
)
value = st.one_of(signs, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
values_of_readers = st.fixed_dictionaries(dict.fromkeys(NAMES, value)).map(lambda own: FIXED | own)


@pytest.fixture(autouse=True)
def no_plans():
    """Every test begins without plans."""
    compiled._frames.clear()
    compiled._seen.clear()


def words_of(body: str, **parts: str) -> StepText:
    """An unstored text."""
    words = {
        "subject": "For {reader_name}",
        "title": "Title",
        "todo": "Call {clinic_phone}",
    } | parts
    return StepText(language="en-gb", body=body, **words)


@SETTINGS
@given(values=values_of_readers)
def test_words_are_those_of_the_slow_way(values):
    text = words_of(BODY)
    if any(not part.strip() for part in values.values()):
        with pytest.raises(UnfilledPlaceholder):
            compiled.words(text, values)
        return
    assert compiled.words(text, values) == render(text, values)


# Placeholders in all the places where a value could change what is around it.
fragments = st.sampled_from(
    [
        "{patient_name}", "{reader_name}", "{clinic_phone}", "1. ", "- ", "* ", "**", "_", "`", "[", "](",
        ")", "<", ">", "&", "&#", ";", "\\", "\n", "\n\n", " ", "    ", "a", ".", ":", "#", "# ", "> ",
        "https://x.example/", "tel:", "9", "!", "]: ", "---", "===", "~~~\n", "{slot:smoking_help}",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(body=st.lists(fragments, max_size=14).map("".join), values=values_of_readers)
def test_no_text_of_a_clinic_tells_the_two_apart(body, values):
    text = words_of(body)
    if any(not part.strip() for part in values.values()):
        return
    assert compiled.words(text, values) == render(text, values)


def test_words_with_a_missing_value_name_all_that_is_missing():
    text = words_of("{patient_name} {window_from}", title="{slot:gone}")
    with pytest.raises(UnfilledPlaceholder) as told:
        compiled.words(text, FIXED | {"reader_name": "Pat", "patient_name": " "})
    assert told.value.names == ("patient_name", "slot:gone", "window_from")


def test_a_value_is_escaped_in_html_and_not_in_text():
    text = words_of("For {patient_name}.")
    for name in ("Ann", "<b>&\"'", "Otto"):
        made = compiled.words(text, {"patient_name": name, "reader_name": "R", "clinic_phone": "1"})
        assert made.body_text == f"For {name}."
        assert "<b>" not in made.body_html
    assert compiled._body_plan.cache_info().misses >= 1


def a_clinic(**fields: str) -> Clinic:
    """An unstored clinic."""
    defaults = {
        "name": "Harbour & Hip", "slug": "h", "phone_in_hours": "+44 (0)20 7946 0001",
        "opening_hours": "Monday to Friday", "phone_out_of_hours": "020 7946 0002",
        "emergency_wording": "In an emergency call 999 <now>.",
    }  # fmt: skip
    return Clinic(**(defaults | fields))


CLINIC = a_clinic()


def an_item(category: str = "preparation", **fields) -> Item:
    """One reminder in words."""
    defaults = {
        "category": category,
        "category_label": str(Category(category).label),
        "patient_name": "Patricia O'Neill",
        "subject": "Your next step",
        "title": "Pack a <small> bag",
        "todo": "Pack your bag, and put in it what you need for two nights, a charger and your medicines.",
        "body_html": mark_safe("<p>Bring your letter.</p>"),
        "body_text": "Bring your letter, please, and everything that the letter says.\n\n- One\n- Two",
        "why_url": "https://portal.clinic.example/why/1?a=1&b=2",
        "correction": False,
    }  # fmt: skip
    return Item(**(defaults | fields))


def a_context(*items: Item, **fields) -> dict:
    """What the templates ask for."""
    defaults = {
        "reader_name": "Pat",
        "clinic": CLINIC,
        "items": list(items or [an_item()]),
        "names_patients": False,
        "portal_url": "https://portal.clinic.example/",
        "is_essential": False,
        "essential_reason": "",
        "unsubscribe_url": "https://portal.clinic.example/u/abc?x=1&y=2",
        "language": "en-gb",
        "direction": "ltr",
        "time_zone_note": "",
    }
    return defaults | fields


def by_template(context: dict) -> tuple[str, str]:
    """The mail as Django's templates render it."""
    return (
        render_to_string("reminders/email/reminder.txt", dict(context)),
        render_to_string("reminders/email/reminder.html", dict(context)),
    )


def is_planned(context: dict) -> bool:
    """Whether mails of this kind are made from a plan."""
    return compiled._frames.get(compiled._kind(context)) is not None


VARIATIONS = {
    "plain": {},
    "nobody's name": {"reader_name": ""},
    "for a child": {"names_patients": True},
    "essential": {"is_essential": True, "essential_reason": "It cannot be stopped.", "unsubscribe_url": ""},
    "abroad": {"time_zone_note": "Times are the clinic's (Europe/London)."},
    "no second phone": {"clinic": a_clinic(phone_out_of_hours="")},
}  # fmt: skip


@pytest.mark.parametrize("language", Language.values)
@pytest.mark.parametrize("category", Category.values)
def test_every_category_in_every_language(category, language):
    with translation.override(language):
        for fields in VARIATIONS.values():
            for item in (an_item(category), an_item(category, todo="", correction=True)):
                for reader in ("Pat", "Zoë <&>", "محمد"):
                    context = a_context(item._replace(title=f"For {reader}"), **fields)
                    if "reader_name" not in fields:
                        context["reader_name"] = reader
                    assert compiled.render_mail(context) == by_template(context)
                assert is_planned(context)


def test_plans_of_two_languages_are_two_plans():
    directions = {"es": 'lang="es" dir="ltr"', "ar": 'lang="ar" dir="rtl"'}
    context = a_context(an_item(language="en-gb"))
    for _time in range(3):
        for language, direction in directions.items():
            with translation.override(language):
                mail = compiled.render_mail(context)
                assert mail == by_template(context)
                assert f"<html {direction}>" in mail[1]
                assert is_planned(context) or not _time


def test_a_text_in_another_language_is_another_plan():
    with translation.override("ar"):
        for language in ("ar", "en-gb", "ar", "en-gb"):
            context = a_context(an_item(language=language))
            mail = compiled.render_mail(context)
            assert mail == by_template(context)
            assert ("ليس متوفرًا بلغتك" in mail[0]) == (language == "en-gb")


def test_several_items_in_one_mail():
    for times in range(4):
        items = [
            an_item(),
            an_item("xray", todo=""),
            an_item("recovery", why_url=f"https://x/{times}"),
        ]
        context = a_context(*items, names_patients=True)
        assert compiled.render_mail(context) == by_template(context)
    assert is_planned(context)


text_in = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@SETTINGS
@given(reader=text_in, title=text_in, todo=text_in, body=text_in, patient=text_in, url=text_in)
def test_whatever_the_values_are_it_is_the_same_mail(reader, title, todo, body, patient, url):
    item = an_item(title=title, todo=todo, body_text=body, patient_name=patient, why_url=url)
    context = a_context(item, reader_name=reader, unsubscribe_url=url, names_patients=True)
    for _ in range(3):
        assert compiled.render_mail(context) == by_template(context)


def test_a_kind_gets_its_plan_when_it_comes_again():
    context = a_context()
    compiled.render_mail(context)
    assert not is_planned(context)
    compiled.render_mail(context)
    assert is_planned(context)


def test_a_clinic_that_changes_its_phone_number_gets_another_plan():
    for phone in ("020 1", "020 1", "020 2", "020 2"):
        context = a_context(clinic=a_clinic(phone_in_hours=phone))
        text, _html = compiled.render_mail(context)
        assert f": {phone}\n" in text


def test_a_template_that_looks_into_a_value_gets_no_plan(monkeypatch):
    seen = []

    def by_length(context):
        seen.append(context["reader_name"])
        return f"{len(context['reader_name'])}", "html"

    monkeypatch.setattr(compiled, "_by_template", by_length)
    for name in ("Pat", "Patricia", "Pat"):
        assert compiled.render_mail(a_context(reader_name=name)) == (str(len(name)), "html")
    assert not is_planned(a_context())


def test_plans_do_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(compiled, "MOST_PLANS", 4)
    for number in range(12):
        compiled.render_mail(a_context(portal_url=f"https://{number}.example/"))
    assert len(compiled._frames) + len(compiled._seen) <= 4
