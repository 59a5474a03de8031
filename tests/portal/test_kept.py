"""Pieces of pages that are rendered once: what they are kept by, and what they can never hold."""

import re
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.template import engines
from django.utils import translation
from django.utils.safestring import mark_safe

from portal import kept as keeping
from portal.kept import kept
from portal.templatetags.stepwise import contact

FOLDER = Path(settings.BASE_DIR, "templates", "kept")
TEMPLATES = sorted(FOLDER.parent.rglob("*.html"))
# What belongs to one reader or one request.
PERSONAL = re.compile(
    r"csrf|nonce|\brequest\b|\buser\b|\bsession\b|\bcare\b|\bpatients?\b|messages"
)


def clinic(**words):
    return SimpleNamespace(
        **{
            "name": "Harbour Hip Clinic",
            "phone_in_hours": "020 7946 0123",
            "opening_hours": "Monday to Friday",
            "phone_out_of_hours": "",
            "emergency_wording": "Call 999.",
            "language": "en-gb",
            **words,
        }
    )


@pytest.fixture(autouse=True)
def _nothing_kept():
    keeping.forget()


def names(**words):
    return kept("header", clinic=contact(clinic(**words)))


class TestWhatAPieceIsKeptBy:
    def test_the_same_values_give_the_same_piece(self):
        assert names() is names()

    def test_another_value_gives_another_piece(self):
        assert "020 7946 0999" in names(phone_in_hours="020 7946 0999")
        assert "020 7946 0999" not in names()

    def test_another_language_gives_another_piece(self):
        english = kept("languages")
        with translation.override("es"):
            assert kept("languages") != english

    def test_safe_text_does_not_open_the_door_to_the_same_text_unsafe(self):
        marked = names(name=mark_safe("<b>Hip</b>"))
        typed = names(name="<b>Hip</b>")

        assert "<bdi><b>Hip</b></bdi>" in marked
        assert "<bdi>&lt;b&gt;Hip&lt;/b&gt;</bdi>" in typed

    def test_one_is_not_the_same_as_true(self):
        assert keeping._key(1) != keeping._key(True)

    def test_memory_stays_bounded(self, monkeypatch):
        monkeypatch.setattr(keeping, "MOST", 3)
        for number in range(10):
            names(name=f"Clinic {number}")

        assert len(keeping._pieces) == 3

    def test_the_oldest_piece_goes_first(self, monkeypatch):
        monkeypatch.setattr(keeping, "MOST", 2)
        first, second = names(name="First"), names(name="Second")
        names(name="Third")

        assert names(name="Second") is second
        assert names(name="First") is not first

    def test_a_day_tells_pieces_apart(self):
        assert keeping._key(date(2026, 5, 4)) == keeping._key(date(2026, 5, 4))
        assert keeping._key(date(2026, 5, 4)) != keeping._key("2026-05-04")


class TestWhatAPieceCannotHold:
    def test_it_sees_nothing_of_the_page_around_it(self):
        source = '{% load stepwise %}{% kept "header" clinic=None %}'

        html = engines["django"].from_string(source).render({"clinic": clinic()})

        assert "Harbour" not in html

    @pytest.mark.parametrize("value", [clinic(), ["a"], {"a": 1}, b"a", object()])
    def test_what_may_change_is_refused(self, value):
        with pytest.raises(TypeError):
            kept("header", clinic=value)

    @pytest.mark.django_db
    def test_a_row_is_refused(self, people):
        with pytest.raises(TypeError):
            kept("header", clinic=people.clinic)

    @pytest.mark.parametrize("path", sorted(FOLDER.glob("*.html")), ids=lambda path: path.stem)
    def test_its_template_names_nobody_and_no_request(self, path):
        shown = re.sub(r"{% comment %}.*?{% endcomment %}", "", path.read_text(), flags=re.DOTALL)
        tags = " ".join(re.findall(r"{[{%].*?[%}]}", shown))
        tags = re.sub(r'"[^"]*"', "", tags)

        assert PERSONAL.findall(tags) == []

    @pytest.mark.parametrize("fault", ["{% csrf_token %}", "{{ user }}", "{{ request.csp_nonce }}"])
    def test_the_rule_finds_a_planted_fault(self, fault):
        assert PERSONAL.findall(fault) != []

    def test_no_page_includes_one_in_the_ordinary_way(self):
        around = [path for path in TEMPLATES if path.parent != FOLDER]

        assert [path for path in around if re.search(r'"kept/', path.read_text())] == []

    def test_every_piece_is_of_use(self):
        used = {
            name for path in TEMPLATES for name in re.findall(r'{% kept "(\w+)"', path.read_text())
        }

        assert used == {path.stem for path in FOLDER.glob("*.html")}
