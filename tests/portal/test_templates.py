"""The frame, the building blocks and the rules that all page templates keep."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.conf import settings
from django.template import engines
from django.template.loader import render_to_string
from django.utils import translation

from portal.context import MAIN
from portal.templatetags import path as paths
from portal.templatetags.stepwise import CATEGORY_COLOURS, as_lead_in, breakable, tel
from procedures.models import Category

TEMPLATES = Path(settings.BASE_DIR, "templates")
STATIC = Path(settings.BASE_DIR, "portal", "static", "portal")
# Mails need styles on the element; the guard below is about pages.
PAGES = [path for path in sorted(TEMPLATES.rglob("*.html")) if "email" not in path.parts]
ERRORS = ["400.html", "403.html", "403_csrf.html", "404.html", "429.html", "500.html", "503.html"]

CLINIC = SimpleNamespace(
    name="Harbour Hip Clinic",
    phone_in_hours="020 7946 0123",
    opening_hours="Monday to Friday, 8 am to 6 pm",
    phone_out_of_hours="+44 (0)20 7946 0999",
    emergency_wording="In an emergency call 999.",
)


def rendered(source, **context):
    return engines["django"].from_string(source).render(context)


def page(**context):
    return render_to_string("base.html", context)


def one_line(text):
    return " ".join(text.split())


# --- Rules for every page ----------------------------------------------------------------------

# A script element is allowed with a source or as plain data; the content policy runs neither inline.
INLINE = re.compile(
    r"""<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*["']|javascript:|<script(?![^>]*(?:\bsrc=|application/json))""",
    re.IGNORECASE,
)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_no_page_has_inline_script_or_style(path):
    assert INLINE.findall(path.read_text()) == []


@pytest.mark.parametrize(
    "fault",
    [
        '<p style="color: red">',
        "<style>p { color: red }</style>",
        '<a onclick="go()">',
        "<script>go()</script>",
        '<a href="javascript:go()">',
    ],
)
def test_the_rule_about_inline_code_finds_a_planted_fault(fault):
    assert INLINE.findall(fault) != []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_icon_that_a_page_names_is_drawn(path):
    drawn = set(re.findall(r'symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    named = set(re.findall(r'{% icon "([^"]+)"', path.read_text()))

    assert named - drawn == set()


def test_every_category_has_an_icon_and_colours():
    drawn = set(re.findall(r'symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    tokens = (STATIC / "css" / "tokens.css").read_text()

    for category in Category.values:
        assert category in drawn
        assert f'[data-category="{category}"]' in tokens
        assert category in CATEGORY_COLOURS


# --- The palette -------------------------------------------------------------------------------

# Text, and what it stands on. 4.5 to 1 is WCAG 2.2 AA for text of any size.
PAIRS = [
    ("ink", "paper"), ("ink", "card"), ("ink", "sunken"),
    ("ink-soft", "paper"), ("ink-soft", "card"), ("ink-soft", "sunken"),
    ("primary", "paper"), ("primary", "card"), ("primary", "sunken"),
    ("on-primary", "primary"), ("on-primary", "primary-strong"),
    ("on-primary-soft", "primary-soft"), ("on-honey", "honey"), ("on-good-soft", "good-soft"),
    ("good", "card"), ("danger", "paper"), ("danger", "card"), ("on-danger-soft", "danger-soft"),
    *[(f"{name}-ink", f"{name}-soft") for name in
      ("smoking", "physio", "xray", "prep", "appt", "recovery", "checkin")],
    *[("ink", f"{name}-soft") for name in
      ("smoking", "physio", "xray", "prep", "appt", "recovery", "checkin")],
]  # fmt: skip


def palette(scheme):
    """The custom properties of one colour scheme, by name without the prefix."""
    light, dark = (
        (STATIC / "css" / "tokens.css").read_text().split("@media (prefers-color-scheme: dark)")
    )
    colours = re.compile(r"--sw-([a-z-]+): (#[0-9a-f]{6});")
    return dict(
        colours.findall(light if scheme == "light" else dark.split("/* Bootstrap reads")[0])
    )


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(
        weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def contrast(one, other):
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_contrast_is_reckoned_as_wcag_does():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_can_be_read_on_its_ground(scheme, text, ground):
    colours = palette(scheme)

    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card"])
@pytest.mark.parametrize("edge", ["edge", "focus"])
def test_edges_of_fields_and_the_focus_can_be_seen(scheme, ground, edge):
    colours = palette(scheme)

    assert contrast(colours[edge], colours[ground]) >= 3


def test_both_schemes_name_the_same_colours():
    assert palette("light").keys() == palette("dark").keys()


def test_the_colours_of_mails_are_those_of_pages():
    light = palette("light")
    short = {
        "smoking_cessation": "smoking", "physiotherapy": "physio", "preparation": "prep",
        "appointment": "appt", "check_in": "checkin",
    }  # fmt: skip
    of_pages = {
        category: (
            light[f"{short.get(category, category)}-ink"],
            light[f"{short.get(category, category)}-soft"],
        )
        for category in CATEGORY_COLOURS
    }

    assert of_pages == CATEGORY_COLOURS


@pytest.mark.parametrize("colours", CATEGORY_COLOURS.values(), ids=CATEGORY_COLOURS)
def test_the_band_of_a_mail_can_be_read(colours):
    ink, _soft = colours

    assert contrast("#ffffff", ink) >= 4.5


# --- The frame ---------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["base.html", *ERRORS])
def test_renders_without_context_request_or_database(template):
    html = render_to_string(template)

    assert '<main id="main"' in html
    assert "In an emergency call your local emergency number." in html
    assert 'class="sw-nav' not in html


def test_the_telephone_is_in_the_header_of_every_page():
    header = page(clinic=CLINIC).split("</header>")[0]

    assert 'href="tel:02079460123"' in header
    assert 'href="tel:+442079460999"' in header
    assert "In an emergency call 999." in header


def test_the_place_one_is_at_is_marked_once_in_each_form_of_the_navigation():
    html = page(navigation=MAIN, active="plan")

    assert one_line(html).count('href="/plan/" aria-current="page"') == 2
    assert html.count('aria-current="page"') == 2


def test_a_carer_of_two_is_told_whose_pages_these_are_and_can_change():
    anna, ben = SimpleNamespace(pk="a", name="Anna"), SimpleNamespace(pk="b", name="Ben")

    html = page(patient=anna, patients=[anna, ben])

    assert "You are looking after Anna" in html
    assert 'name="patient"' in html
    assert "Ben" in html


def test_a_patient_alone_sees_no_switcher():
    anna = SimpleNamespace(pk="a", name="Anna", user_id=1)

    assert "looking after" not in page(patient=anna, patients=[anna], user=SimpleNamespace(pk=1))


@pytest.mark.parametrize(
    ("language", "direction", "style_sheet"),
    [("en-gb", "ltr", "bootstrap.min.css"), ("ar", "rtl", "bootstrap.rtl.min.css")],
)
def test_the_direction_follows_the_language(language, direction, style_sheet):
    with translation.override(language):
        html = page()

    assert f'<html lang="{language}" dir="{direction}">' in html
    assert f"bootstrap/css/{style_sheet}" in html


# --- Building blocks ---------------------------------------------------------------------------


class SampleForm(forms.Form):
    email = forms.EmailField(label="Email", help_text="Yours")
    side = forms.ChoiceField(label="Side", choices=[("l", "Left")], widget=forms.RadioSelect)
    note = forms.CharField(label="Note", required=False)


FORM = '{% include "components/form.html" %}'


def test_a_form_with_errors_has_a_summary_that_links_to_its_fields_and_keeps_what_was_typed():
    html = rendered(FORM, form=SampleForm({"email": "nobody"}))

    assert "data-error-summary" in html
    assert (
        '<a href="#id_email"><bdi>Email:</bdi> Please type an email address, such as name@example.org.</a>'
        in html
    )
    assert '<a href="#id_side_0"><bdi>Side:</bdi> Please choose one.</a>' in html
    assert 'id="id_side_0"' in html
    assert 'value="nobody"' in html


def test_an_untouched_form_has_no_summary_and_says_what_may_be_left_out():
    html = rendered(FORM, form=SampleForm())

    assert "data-error-summary" not in html
    assert html.count("(you may leave this out)") == 1


@pytest.mark.parametrize(("data", "starts"), [({"email": "nobody"}, True), (None, False)])
def test_the_title_of_a_page_with_errors_says_so_first(data, starts):
    title = re.search(r"<title>(.*?)</title>", page(form=SampleForm(data)), re.DOTALL)[1]

    assert title.strip().startswith("Error:") is starts


def test_a_step_asks_for_one_of_two_answers():
    html = render_to_string(
        "components/step_item.html",
        {
            "title": "Walk",
            "category": "physiotherapy",
            "category_label": "Physiotherapy",
            "answer_url": "/a/",
        },
    )

    assert re.findall(r'value="(done|question|undo)"', html) == ["done", "question"]
    assert 'aria-label="Done: Walk"' in html


def test_an_answered_step_can_be_taken_back():
    html = render_to_string(
        "components/step_item.html", {"title": "Walk", "answer": "done", "answer_url": "/a/"}
    )

    assert re.findall(r'value="(done|question|undo)"', html) == ["undo"]


@pytest.mark.parametrize(
    ("state", "words"),
    [("done", "Done"), ("now", "Now"), ("waiting", "When your surgeon says so")],
)
def test_the_timeline_says_its_states_in_words(state, words):
    entry = stone(state=state)
    phase = {"title": "Recovery", "ahead": [entry], "near": [entry], "far": []}
    html = render_to_string("components/timeline.html", {"phases": [phase]})

    assert f"{words}</span>" in html


def stone(**values):
    """One stone of a path."""
    plain = {
        "category": "xray", "category_label": "X-ray", "title": "X-ray", "when": "Mon 4 May",
        "state": "next", "detail": "", "url": "", "language": "",
    }  # fmt: skip
    return SimpleNamespace(**plain | values)


@pytest.mark.parametrize("draw", [paths.stones, paths.far_stones])
def test_a_stone_leads_to_its_page_in_its_own_language_and_is_escaped(draw):
    html = draw([stone(title="Sit <up>", url="/why/1/", language="es", detail="Room <2>")])

    assert re.search(r'<a href="/why/1/"[^>]*>Sit &lt;up&gt;</a>', html)
    assert html.count(' lang="es" dir="ltr"') == 1
    assert "· Room &lt;2&gt;" in html


@pytest.mark.parametrize("draw", [paths.stones, paths.far_stones])
def test_what_has_no_page_is_no_link_and_waits_in_the_readers_language(draw):
    with translation.override("es"):
        html = draw([stone(state="waiting")])

    assert "<a" not in html
    assert "When your surgeon" not in html
    assert "sw-badge" in html


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("020 7946 0123", "02079460123"),
        ("+44 (0)20 7946-0999", "+442079460999"),
        ("+1 205 555 0100", "+12055550100"),
        ("(020) 7946 0123", "02079460123"),
        ("", ""),
        (None, ""),
    ],
)
def test_numbers_are_dialled_as_they_should_be(written, dialled):
    assert tel(written) == dialled


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sam@patients.example", "sam<wbr>@patients.example"),
        ("<b>@patients.example", "&lt;b&gt;<wbr>@patients.example"),
        ("", "<wbr>"),
    ],
)
def test_a_long_address_goes_on_below_at_its_at_sign(address, words):
    assert breakable(address) == words


def test_an_icon_with_a_label_is_an_image_and_its_label_is_escaped():
    html = rendered('{% load stepwise %}{% icon "phone" label=words %}', words='<b>"Call"')

    assert 'role="img" aria-label="&lt;b&gt;&quot;Call&quot;"' in html


def test_an_icon_without_a_label_is_hidden_from_screen_readers():
    assert 'aria-hidden="true"' in rendered('{% load stepwise %}{% icon "phone" %}')


@pytest.mark.parametrize(
    ("label", "shown"),
    [("Email", "Email:"), ("Do you feel sick?", "Do you feel sick?"), ("", ":"), ("هل أنت بخير؟", "هل أنت بخير؟")],
)  # fmt: skip
def test_a_label_leads_in_to_its_error(label, shown):
    assert as_lead_in(label) == shown
