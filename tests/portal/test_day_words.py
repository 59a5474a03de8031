"""Days and times in the order and the words of each language, in pages and in Python."""

import re
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from django.conf import settings
from django.template import engines
from django.utils import formats, timezone, translation

from portal.day_words import TABLE, date_format, day_and_time, localised, time_format, weekday

DAY = date(2026, 5, 4)
MOMENT = datetime(2026, 5, 4, 14, 5, tzinfo=UTC)
# A format that writes a month by its name, in a template or in Python.
IN_TEMPLATES = re.compile(r"""\|(?:date|time):["']([^"']+)["']""")
IN_PYTHON = re.compile(r"""(?:date|time)_format\(.*?, ["']([^"']+)["']\)""", re.DOTALL)


def rendered(source, **context):
    return engines["django"].from_string(source).render(context)


def patterns(source):
    return set(IN_TEMPLATES.findall(source)) | set(IN_PYTHON.findall(source))


def unknown(pattern):
    """The part of a format that has no place in the table, though its order differs from language to language."""
    day = pattern.partition(", ")[0]
    writes_a_month = "F" in day or "M" in day
    is_named = pattern.isupper()
    return day if writes_a_month and not is_named and day not in TABLE["es"] else ""


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en-gb", "Monday 4 May 2026"),
        ("en-us", "Monday, May 4, 2026"),
        ("es", "lunes, 4 de mayo de 2026"),
        ("ar", "الاثنين 4 مايو 2026"),
    ],
)
def test_a_day_in_each_language(language, words):
    with translation.override(language):
        assert date_format(DAY, "l j F Y") == words
        assert rendered('{{ day|date:"l j F Y" }}', day=DAY) == words


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en-gb", "4 May 2026, 14:05 (UTC)"),
        ("en-us", "May 4, 2026, 2:05 PM (UTC)"),
        ("es", "4 de mayo de 2026, 14:05 (UTC)"),
        ("ar", "4 مايو 2026، 14:05 (UTC)"),
    ],
)
def test_a_moment_in_each_language(language, words):
    with translation.override(language):
        assert rendered('{{ at|date:"j F Y, H:i (T)" }}', at=MOMENT) == words


@pytest.mark.parametrize("language", ["en-gb", "en-us", "es", "ar"])
@pytest.mark.parametrize("pattern", ["D j M Y, H:i", "l j F Y, H:i", "j F Y", "H:i"])
def test_a_moment_is_that_of_the_zone_in_force(language, pattern):
    """What is kept of days and minutes never crosses zones, nor languages."""
    with translation.override(language):
        for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns"):
            with timezone.override(zone):
                there = timezone.localtime(MOMENT.replace(second=59))
                expected = formats.date_format(there, localised(pattern, language))
                assert rendered(f'{{{{ at|date:"{pattern}" }}}}', at=MOMENT) == expected
                assert date_format(there, pattern) == expected


def test_a_time_of_day_alone():
    with translation.override("en-us"):
        assert time_format(time(14, 5), "H:i") == "2:05 PM"
        assert rendered('{{ at|time:"H:i" }}', at=time(14, 5)) == "2:05 PM"
    with translation.override("es"):
        assert time_format(time(14, 5), "H:i") == "14:05"


def test_a_short_month_is_small_in_spanish():
    with translation.override("es"):
        assert date_format(date(2026, 11, 15), "D j M") == "dom, 15 nov"


def test_a_named_format_and_an_empty_day_are_left_to_django():
    with translation.override("es"):
        assert localised("DATE_FORMAT", "es") == "DATE_FORMAT"
        assert rendered('{{ day|date:"DATE_FORMAT" }}', day=DAY) == "4 de mayo de 2026"
        assert rendered('{{ day|date:"c" }}', day=DAY) == "2026-05-04"
        assert rendered('{{ day|date:"j F" }}', day=None) == ""


def test_every_format_that_the_code_uses_has_its_order_in_spanish():
    root = Path(settings.BASE_DIR)
    files = [*root.glob("templates/**/*.html"), *root.glob("templates/**/*.txt")]
    for app in ("portal", "procedures", "patients", "reminders"):
        files += root.glob(f"{app}/**/*.py")
    found = {pattern for file in files for pattern in patterns(file.read_text())}

    assert len(found) > 8
    assert {day for pattern in found if (day := unknown(pattern))} == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('{{ day|date:"F j" }}', {"F j"}),
        ('date_format(row.local_date, "F jS")', {"F jS"}),
        ("time_format(\n    at, 'H:i'\n)", set()),
    ],
)
def test_a_planted_format_is_found(source, found):
    assert {day for pattern in patterns(source) if (day := unknown(pattern))} == found


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en-gb", "Monday 4 May, 14:05"),
        ("en-us", "Monday, May 4, 2:05 PM"),
        ("es", "lunes, 4 de mayo, 14:05"),
        ("ar", "الاثنين 4 مايو، 14:05"),
    ],
)
def test_a_day_and_a_time_of_that_day(language, words):
    with translation.override(language):
        assert day_and_time(DAY, time(14, 5), "l j F") == words
        assert day_and_time(DAY, time(14, 5), "l j F") == date_format(MOMENT, "l j F, H:i")


def test_a_page_puts_the_comma_of_its_language_between_a_day_and_its_time():
    page = engines["django"].from_string("{% day_and_time day at %}")
    with translation.override("ar"):
        words = page.render({"day": DAY, "at": time(14, 5)})
    assert words == "الاثنين 4 مايو 2026، 14:05"


@pytest.mark.parametrize(("language", "words"), [("en-gb", "Mon"), ("es", "lun"), ("ar", "ن")])
def test_a_weekday_fits_a_narrow_column(language, words):
    with translation.override(language):
        assert weekday(DAY).casefold() == words.casefold()
        assert len({weekday(date(2026, 5, day)) for day in range(4, 11)}) == 7
