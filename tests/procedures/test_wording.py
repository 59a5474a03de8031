"""Words for a reader: language and fallback, placeholders, safe HTML, readable plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procedures.markdown import faults, to_html, to_text
from procedures.models import StepText
from procedures.wording import (
    NoWords,
    UnfilledPlaceholder,
    clinic_values,
    fill,
    is_known_placeholder,
    placeholders_in,
    render,
    words_of,
)
from tests.factories import make_clinic, make_step, make_version


def text(**parts) -> StepText:
    words = {"subject": "Hello", "title": "Title", "todo": "Do it.", "body": "Body."}
    return StepText(language="en-gb", **(words | parts))


# ---- Languages ----


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reader", "found"), [("en-gb", "en-gb"), ("es", "es"), ("en-us", "en-gb"), ("ar", "en-gb")]
)
def test_a_reader_gets_their_language_or_british_english(reader, found):
    version = make_version(make_clinic(), is_approved=False)
    step = make_step(version, "pack", texts={"en-gb": {}, "es": {}})

    assert words_of(step, reader).language == found


@pytest.mark.django_db
def test_no_words_at_all_is_an_error_with_the_steps_name():
    version = make_version(make_clinic(), is_approved=False)
    step = make_step(version, "pack", texts={"es": {}})

    with pytest.raises(NoWords, match="“pack” has no words in en-gb"):
        words_of(step, "en-gb")


@pytest.mark.django_db
def test_prefetched_words_cost_no_query(django_assert_num_queries):
    version = make_version(make_clinic(), {"a": {}, "b": {}})
    steps = list(version.steps.with_texts())

    with django_assert_num_queries(0):
        for step in steps:
            words_of(step, "en-us")


# ---- Placeholders ----


def test_values_are_filled_into_every_part():
    words = render(
        text(
            subject="On {surgery_date}",
            title="{patient_name}",
            todo="Call {clinic_phone}.",
            body="{slot:leg}",
        ),
        {"surgery_date": "2 May", "patient_name": "Ann", "clinic_phone": "123", "slot:leg": "calf"},
    )

    assert (words.subject, words.title, words.todo, words.body_text, words.body_html) == (
        "On 2 May", "Ann", "Call 123.", "calf", "<p>calf</p>\n",
    )  # fmt: skip


def test_every_missing_value_is_named():
    with pytest.raises(UnfilledPlaceholder) as caught:
        render(
            text(subject="{surgery_date}", body="{slot:leg} {settled:D3} {clinic_name}"),
            {"clinic_name": "Us", "slot:leg": "  "},
        )

    assert caught.value.names == ("settled:D3", "slot:leg", "surgery_date")
    assert str(caught.value) == "No value for {settled:D3}, {slot:leg}, {surgery_date}"


def test_a_value_is_never_read_as_a_placeholder():
    assert fill("Dear {patient_name}", {"patient_name": "{clinic_phone}"}) == "Dear {clinic_phone}"


def test_a_line_break_in_a_value_cannot_reach_the_subject():
    words = render(text(subject="Dear {patient_name}"), {"patient_name": "A\r\nBcc: x@example.com"})

    assert words.subject == "Dear A Bcc: x@example.com"


@pytest.mark.parametrize("name", ["patient_name", "slot:leg_clot_signs", "settled:D3"])
def test_known_placeholders(name):
    assert is_known_placeholder(name)


@pytest.mark.parametrize(
    "name", ["", "name", "slot:", "slot:A b", "settled:3", "0", "surgery_date.year"]
)
def test_unknown_placeholders(name):
    assert not is_known_placeholder(name)


def test_placeholders_are_found_in_all_texts():
    assert placeholders_in("a {b} {c:d}", "{e}", "{}") == {"b", "c:d", "e", ""}


# ---- Values are text, whatever they look like ----


@pytest.mark.parametrize(
    "value",
    [
        "<script>alert(1)</script>",
        "**bold** _it_ `code`",
        "[click](https://evil.example)",
        "<https://evil.example>",
        "# 1. - > heading",
        "1. a list",
        "a & b &amp; c",
        "![picture](https://evil.example/x.png)",
        "O'Brien-Świętek",
        r"back\slash",
    ],
)
def test_a_value_comes_out_as_it_was_written(value):
    words = render(text(body="Dear {patient_name}"), {"patient_name": value})

    assert words.body_text == f"Dear {value}"
    assert "<script" not in words.body_html
    assert "<a " not in words.body_html
    assert "<img" not in words.body_html
    assert "<strong" not in words.body_html


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_value_survives_into_plain_text(value):
    words = " ".join(value.split())
    if words:
        assert render(text(body="> {patient_name}"), {"patient_name": value}).body_text.endswith(
            words
        )


# ---- Markdown ----


def test_markdown_becomes_html():
    assert to_html("Do **this**:\n\n- one\n- two") == (
        "<p>Do <strong>this</strong>:</p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n"
    )


def test_raw_html_is_shown_and_not_obeyed():
    assert to_html("<b>x</b><script>y</script>") == (
        "<p>&lt;b&gt;x&lt;/b&gt;&lt;script&gt;y&lt;/script&gt;</p>\n"
    )


@pytest.mark.parametrize(
    "url", ["https://a.example", "http://a.example", "tel:0207", "mailto:a@b.c"]
)
def test_links_that_may_stand_in_a_text(url):
    assert to_html(f"[here]({url})") == f'<p><a href="{url}">here</a></p>\n'
    assert faults(f"[here]({url})") == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "/relative",
        "//host/x",
        "JaVaScRiPt:x",
    ],
)
def test_links_that_may_not(url):
    assert "<a" not in to_html(f"[here]({url})")
    assert faults(f"[here]({url})") == ["a link that is not http, https, tel or mailto"]


def test_pictures_are_not_shown():
    assert "<img" not in to_html("![x](https://a.example/x.png)")


def test_plain_text_reads_well():
    source = (
        "## Heading\n\nFirst **bold** and *soft*\nwords & <more>.\n\n- one\n- two\n  - inner\n\n"
        "3. three\n4. four\n\n[Our page](https://a.example) or [0207](tel:0207).\n\n> Quoted."
    )

    assert to_text(source) == (
        "Heading\n\nFirst bold and soft words & <more>.\n\n- one\n- two\n  - inner\n\n"
        "3. three\n4. four\n\nOur page (https://a.example) or 0207.\n\nQuoted."
    )


def test_plain_text_is_not_escaped():
    assert to_text('Tom & Ann\'s "x" < y') == 'Tom & Ann\'s "x" < y'


# ---- What the clinic fills in ----


@pytest.mark.django_db
def test_the_clinics_values(clinic, approve, django_assert_num_queries):
    approve()
    with django_assert_num_queries(2):
        values = clinic_values(clinic)

    assert values == {
        "clinic_name": "Harbour Hip Clinic",
        "clinic_phone": "020 7946 0001",
        "opening_hours": "Monday to Friday, 8 am to 6 pm",
        "phone_out_of_hours": "020 7946 0002",
        "emergency_wording": "In an emergency call 999.",
        "slot:xray_weeks": "6",
        "slot:school_weeks": "4",
        "slot:clot_signs": "A hot calf.",
        "settled:D3": "Not for eight weeks.",
    }
