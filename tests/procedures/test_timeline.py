"""A version as a picture and in words: where each step stands, and what cannot be drawn."""

from datetime import time

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from procedures.conditions import ATTRIBUTES
from procedures.models import Slot
from procedures.timeline import LEFT, MARGIN, WIDTH, draw, place
from procedures.timing import CONDITIONS, for_whom, span, when
from tests.factories import make_clinic, make_step, make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def version():
    return make_version(make_clinic(), is_approved=False)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"offset_value": -6, "offset_unit": "weeks"}, "6 weeks before surgery, 09:00"),
        ({"offset_value": 0}, "on the day of surgery, 09:00"),
        ({"offset_value": 1, "anchor": "discharge"}, "1 day after going home, 09:00"),
        ({"offset_value": 2, "offset_unit": "years"}, "2 years after surgery, 09:00"),
        ({"anchor": "milestone:full_weight", "offset_value": 1}, "1 day after full weight, 09:00"),
        (
            {"offset_value": -5, "offset_unit": "weeks", "repeat_every_days": 7, "repeat_count": 5},
            "5 weeks before surgery, 09:00, every 7 days, 5 times",
        ),
        (
            {
                "offset_value": 1, "repeat_every_days": 1, "repeat_weekdays": [0, 2],
                "repeat_until_anchor": "surgery", "repeat_until_value": 12, "repeat_until_unit": "weeks",
            },
            "1 day after surgery, 09:00, Mon, Wed, until 12 weeks after surgery",
        ),
        ({"offset_value": 6, "offset_unit": "weeks", "window_days": 14, "at": time(9, 30)},
         "6 weeks after surgery, 09:30, open for 14 days"),
    ],
)  # fmt: skip
def test_a_moment_in_words(version, fields, expected):
    assert when(make_step(version, "step", **fields), {}) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, "everyone"),
        ({"drives": True}, "who drive"),
        (
            {"job": ["desk", "heavy"], "drives": False},
            "who do not drive, with a desk job or with heavy work",
        ),
    ],
)
def test_for_whom_in_words(version, condition, expected):
    assert for_whom(make_step(version, "step", condition=condition)) == expected


def test_every_condition_has_words():
    known = {(name, value) for name, values in ATTRIBUTES.items() for value in values}

    assert set(CONDITIONS) == known


def test_an_open_slot_says_that_the_clinic_sets_it(version):
    slot = Slot.objects.create(key="xray_weeks", name="X-ray", kind="weeks")
    step = make_step(version, "x", offset_value=-1, offset_unit="weeks", offset_slot=slot)

    assert when(step, {}) == "weeks set by the clinic, before surgery, 09:00"
    assert when(step, {"xray_weeks": "6"}) == "6 weeks before surgery, 09:00"
    assert span(step, {}) is None
    assert span(step, {"xray_weeks": "6"}).first == -6


def test_a_repetition_reaches_to_its_last_day(version):
    step = make_step(
        version, "x", offset_value=-5, offset_unit="weeks", repeat_every_days=7, repeat_count=5
    )

    found = span(step, {})
    assert (found.first, found.last, found.is_exact) == (-5, -1, True)


def test_steps_that_count_from_another_day_are_drawn_hollow(version):
    assert span(make_step(version, "x", anchor="discharge", offset_value=2), {}).is_exact is False


def test_steps_of_visits_stand_in_the_table_alone(version):
    make_step(version, "visit", anchor="appointment", appointment_kind="xray", offset_value=-1)
    make_step(version, "surgery", position=2)
    steps = list(version.steps.select_related("offset_slot", "version").with_texts())

    picture = draw(steps, {}, "en-gb")

    assert [(line.title, line.is_drawn) for line in picture.lines] == [
        ("Visit", False),
        ("Surgery", True),
    ]
    assert [len(lane.marks) for lane in picture.lanes] == [1]


def test_each_category_has_a_lane_of_its_own(version):
    make_step(version, "a", category="recovery", offset_value=7)
    make_step(version, "b", category="xray", position=2, offset_value=42)
    steps = list(version.steps.select_related("offset_slot", "version").with_texts())

    lanes = draw(steps, {}, "en-gb").lanes

    assert [(lane.category, lane.label) for lane in lanes] == [
        ("xray", "X-rays"),
        ("recovery", "Recovery"),
    ]
    assert lanes[0].y < lanes[1].y
    assert lanes[1].marks[0].x < lanes[0].marks[0].x
    assert lanes[1].marks[0].label == "A: 7 days after surgery, 09:00"


@given(st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_later_is_never_further_left_and_all_is_inside(one, other):
    assert LEFT <= place(one) <= WIDTH - MARGIN
    assert place(min(one, other)) <= place(max(one, other))


def test_in_a_language_read_from_the_right_time_runs_from_the_right(version):
    make_step(
        version, "early", offset_value=-6, offset_unit="weeks", repeat_every_days=7, repeat_count=3
    )
    steps = list(version.steps.with_texts())
    usual = draw(steps, {}, "en-gb")
    with translation.override("ar"):
        mirrored = draw(steps, {}, "ar")
    mark, other = usual.lanes[0].marks[0], mirrored.lanes[0].marks[0]

    assert (usual.start, mirrored.start) == (0, WIDTH)
    assert other.x == pytest.approx(WIDTH - mark.x)
    assert other.width == mark.width
    # A bar is drawn from its left end, which is the later one here.
    assert (mark.left, other.left) == (mark.x, other.x2)
    across = [WIDTH - tick.x for tick in usual.ticks]
    assert [tick.x for tick in mirrored.ticks] == pytest.approx(across)


def test_a_moment_in_spanish_has_its_words_in_order(version):
    step = make_step(version, "step", offset_value=-6, offset_unit="weeks")
    with translation.override("es"):
        assert when(step, {}) == "6 semanas antes de la operación, 09:00"
