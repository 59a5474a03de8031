"""A guide as a PDF: whole, with its sources, and made without fetching anything."""

import re
import zlib

import pytest
from django.test import Client
from django.urls import reverse

from procedures.guide import guides, sections_of
from procedures.loading import load_catalogue
from procedures.pdf import ENCODING, LettersMissing, guide_as_pdf, letters
from tests.factories import NOW, make_user

pytestmark = pytest.mark.django_db

GUIDE = """\
guide: pao
audience: adult
language: en-gb
pages:
  - page: pao-weeks
    title: Week by week
    summary: What you can do when.
    sections:
      - key: driving
        heading: Driving
        facts: [M24]
        body: "Ask first. {settled:D3}"
      - key: list
        heading: Your list
        facts: [P9]
        body: "- Tell us **all** allergies.\\n- Say “no” – or 38 °C."
"""


@pytest.fixture
def client(files, clinic) -> Client:
    files.write("guides/pao.yaml", GUIDE)
    load_catalogue(folder=files.path)
    browser = Client()
    browser.force_login(make_user("reader@example.com"))
    return browser


def text_of(content: bytes) -> str:
    """The words of a PDF made with the fonts that every reader has, spaces and all."""
    words = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            page = zlib.decompress(stream).decode("latin-1")
        except zlib.error:
            continue
        words += re.findall(r"\(((?:\\.|[^\\()])*)\) Tj", page)
        words += ["".join(re.findall(r"\(((?:\\.|[^\\()])*)\)", part))
                  for part in re.findall(r"\[(.*?)\] TJ", page)]  # fmt: skip
    return " ".join(words).encode("latin-1").decode(ENCODING).replace("\\", "")


def _squeezed(words: str) -> str:
    return " ".join(words.split())


def test_it_holds_every_section_and_where_it_comes_from(client) -> None:
    answer = client.get(reverse("procedures:guide_pdf", args=["pao"]))
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="pao.pdf"'
    assert answer.content.startswith(b"%PDF-")
    words = _squeezed(text_of(answer.content))
    for part in (
        "Socket operation", "Week by week", "What you can do when.", "Driving", "Ask first.", "Ask your surgeon",
        "allergies", "“no” – or 38 °C", "Where this comes from", "Not before eight weeks. M24: A clinic.",
        "Not reviewed by a clinician yet.",
    ):  # fmt: skip
        assert part in words, part


def test_an_unsettled_point_is_named_and_no_value_is_shown(client) -> None:
    words = _squeezed(text_of(client.get(reverse("procedures:guide_pdf", args=["pao"])).content))
    assert "Ask your surgeon about: Driving" in words
    assert "Not for eight weeks." not in words


def test_an_unknown_guide_is_missing(client) -> None:
    assert client.get(reverse("procedures:guide_pdf", args=["none"])).status_code == 404


def test_a_letter_that_the_fonts_lack_is_refused() -> None:
    assert letters("38 °C “ok” – ¿año?") == "38 °C “ok” – ¿año?"
    with pytest.raises(LettersMissing, match="ش"):
        letters("ok ش")


def test_where_the_file_lacks_letters_the_reader_is_led_to_the_page_to_print(
    client, clinic
) -> None:
    clinic.name = "عيادة الميناء"
    clinic.save()

    answer = client.get(reverse("procedures:guide_pdf", args=["pao"]), follow=True)

    assert answer.redirect_chain == [("/guide/pao/print/?no-file", 302)]
    assert "We cannot make the file" in answer.text
    assert "عيادة الميناء" in answer.text
    assert reverse("procedures:guide_pdf", args=["pao"]) not in answer.text


@pytest.mark.once
def test_every_guide_of_the_catalogue_can_be_taken_away_with_all_its_letters(demo_clinic) -> None:
    """The network is barred in tests: whatever would be fetched fails here."""
    found = guides("en-gb")
    for guide in found:
        chapters = [(page, sections_of(page, demo_clinic)) for page in guide.pages]
        for page, sections in chapters:
            words = [page.title, page.summary, *(section.html for section in sections)]
            assert all(letters(text) == text for text in words), page.key
        content = guide_as_pdf(guide, chapters, clinic="A clinic", on=NOW.date())
        assert b"/URI (http" not in content or "http" in str(chapters)
        assert len(content) > 1500
    assert len(found) >= 9


def test_the_page_to_print_shows_its_sources_and_leads_to_the_file(client) -> None:
    page = client.get(reverse("procedures:guide_print", args=["pao"])).content.decode()
    assert page.count('<details class="sw-more" open>') == 2
    assert reverse("procedures:guide_pdf", args=["pao"]) in page
