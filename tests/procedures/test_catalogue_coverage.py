"""The real catalogue holds every row of the collection of facts exactly once, and its texts keep the rules."""

import re
from collections import Counter
from itertools import chain

import pytest

from procedures.loading import read_catalogue
from procedures.loading.glossary import Glossary
from procedures.loading.relations import Relations
from procedures.loading.steps import StepReader
from procedures.reading_level import reading_age, spanish_ease, spanish_syllables_in, syllables_in


def numbered(letter: str, last: int, *extra: str) -> list[str]:
    return [*(f"{letter}{number}" for number in range(1, last + 1)), *extra]


# The rows of each section of the collection of facts, by their ids.
PROCEDURES = numbered("V", 9)
FACTS = [
    *numbered("I", 12),
    *numbered("C", 11),
    *numbered("R", 17),
    *numbered("P", 24, "P1b"),
    *numbered("O", 16),
    *numbered("H", 15),
    *numbered("M", 49, "M24b"),
    *numbered("W", 14),
    # Sections without ids of their own: goals (1), what raises or lowers a risk (4), signs and
    # matters of children (2 and 10), equipment and help (11), people (12).
    *numbered("G", 6),
    *numbered("RA", 4),
    *numbered("RB", 5),
    *numbered("K", 12),
    *numbered("E", 11),
    *numbered("T", 12),
]
DISAGREEMENTS = numbered("D", 37)
# Rows that are not in the catalogue, each with the reason why not. Empty: everything has its place.
LEFT_OUT: dict[str, str] = {}

# Section 14 asks the clinic twelve questions; each is a slot, or is answered by what is named.
QUESTIONS = {
    1: ["xray_first_weeks", "xray_second_weeks", "xray_third_weeks", "child_xray_first_weeks"],
    2: ["wound_check_days", "stitch_removal_rule", "wound_dressing_rule"],
    3: ["weight_bearing_adult", "weight_bearing_child", "full_weight_bearing"],
    4: ["driving_clearance"],
    5: ["smoking_help", "smoking_shortest_weeks", "smoking_relapse_contact"],
    6: ["physio_first_visit_weeks", "physio_frequency", "hydrotherapy_rule"],
    7: ["blood_thinner_rule"],
    8: ["fasting_letter", "medicines_rule"],
    9: ["phone_in_hours", "phone_out_of_hours", "leg_clot_signs"],
    10: ["child_recipients", "child_seating_review_weeks", "child_metalwork_review"],
    11: ["surgery_moved_rule"],
    12: ["outcome_questionnaires"],
}
# Milestones that no source dates (end of section 8), and the slot that asks the clinic.
UNDATED = {
    "wound check": "wound_check_days",
    "stitch removal": "stitch_removal_rule",
    "first clinic review": "first_clinic_review_weeks",
    "X-rays": "xray_first_weeks",
    "full weight bearing": "full_weight_bearing",
    "blood thinners and stockings": "blood_thinner_rule",
    "bathing": "bathing_rule",
    "sleeping position": "sleeping_position",
    "sexual activity": "sexual_activity_rule",
    "flying": "flying_rule",
    "medicines to stop": "medicines_rule",
    "fasting hours": "fasting_letter",
    "physiotherapy frequency": "physio_frequency",
    "outcome questionnaires": "outcome_questionnaires",
    "return to school": "child_school_return_weeks",
    "seating review": "child_seating_review_weeks",
    "metalwork removal": "child_metalwork_review",
}
# Section 15: the steps that follow from the sources, and where they stand.
DERIVED_STEPS = {
    "vdro-child": [
        "tell-local-therapists", "tell-the-school", "tell-your-employer", "report-illness-7-days",
        "report-illness-1-day", "eating-and-drinking", "check-in-2-days", "skin-check-daily",
        "xray-visit-3-days", "xray-visit-1-day", "metalwork-review",
    ],
    "pao-adult": [
        "tell-your-insurer", "plan-help-and-chores", "stock-food", "plan-transport",
        "stop-smoking-start", "smoke-free-before", "smoke-free-after", "eating-and-drinking",
        "check-in-2-days", "one-crutch-review", "driving-ask", "work-desk", "low-impact-exercise",
        "physio-taper", "xray-visit-3-days", "xray-visit-1-day", "high-impact-sport",
        "everyday-tasks", "final-check",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue():
    return read_catalogue()


@pytest.fixture(scope="module")
def steps(catalogue):
    """Every step of every pathway, by pathway and key."""
    return {
        (row.data["pathway"], step["key"]): step
        for row in catalogue.pathways
        for step in row.data["steps"]
    }


def words(step, language="en-gb"):
    return "\n\n".join(step["text"][language].values())


# ---- Nothing is missing ----


def test_every_row_stands_in_the_catalogue_exactly_once(catalogue):
    found = Counter(
        chain(
            (row.data["key"] for row in catalogue.facts),
            (row.data["key"] for row in catalogue.disagreements),
            (row.data["reference"] for row in catalogue.procedures if "reference" in row.data),
        )
    )

    expected = {*PROCEDURES, *FACTS, *DISAGREEMENTS}
    wrong = {key: found[key] for key in expected - LEFT_OUT.keys() if found[key] != 1}
    assert wrong == {}
    assert [key for key in LEFT_OUT if found[key]] == []
    assert len(expected) == 9 + 160 + 50 + 37


def test_nothing_stands_in_it_that_is_not_in_the_collection(catalogue):
    assert {row.data["key"] for row in catalogue.facts} == set(FACTS)
    assert {row.data["key"] for row in catalogue.disagreements} == set(DISAGREEMENTS)


def test_every_fact_and_every_value_names_a_source(catalogue):
    values = (value for row in catalogue.disagreements for value in row.data["values"])

    assert [row.data["key"] for row in catalogue.facts if not row.data["sources"]] == []
    assert [value["statement"] for value in values if not value["sources"]] == []


def test_the_five_sources_stand_in_it(catalogue):
    assert [row.data["key"] for row in catalogue.sources] == ["S0", "S1", "S2", "S3", "S4"]


def test_every_question_to_the_clinic_is_a_slot(catalogue):
    slots = {row.data["key"] for row in catalogue.slots}

    assert sorted(QUESTIONS) == list(range(1, 13))
    assert set(chain(*QUESTIONS.values())) - slots == set()
    assert set(UNDATED.values()) - slots == set()


@pytest.mark.parametrize("pathway", DERIVED_STEPS)
def test_every_derived_step_stands_in_its_pathway(steps, pathway):
    assert [key for key in DERIVED_STEPS[pathway] if (pathway, key) not in steps] == []


def test_medical_realignment_is_kept_apart_from_the_surgery(catalogue):
    rows = {row.data["key"]: row.data for row in catalogue.procedures}

    assert "parent" not in rows["medical-hip-realignment"]


def test_every_disagreement_but_one_has_two_values_or_more(catalogue):
    single = [row.data["key"] for row in catalogue.disagreements if len(row.data["values"]) < 2]

    assert single == ["D31"]  # One source gives an example, the others are silent.


# ---- Pathways do what the sources and the clinic ask ----


OSTEOTOMIES = {
    "pao-adult", "femoral-adult", "intertrochanteric-adult", "derotation-adult", "combined-adult",
    "vdro-child", "dega-child", "derotation-child", "combined-child",
}  # fmt: skip
OTHERS = {"metalwork-adult", "metalwork-child", "realignment-adult"}
CATEGORIES = {
    "smoking_cessation", "physiotherapy", "xray", "preparation", "appointment", "recovery", "check_in",
}  # fmt: skip


def of_pathway(steps, pathway):
    return {key: step for (name, key), step in steps.items() if name == pathway}


def test_every_variant_has_its_pathways(catalogue):
    assert {row.data["pathway"] for row in catalogue.pathways} == OSTEOTOMIES | OTHERS
    variants = {row.data["key"] for row in catalogue.procedures} - {"hip-osteotomy"}
    assert {row.data["procedure"] for row in catalogue.pathways} == variants


@pytest.mark.parametrize("pathway", sorted(OSTEOTOMIES))
def test_every_category_has_steps(steps, pathway):
    found = {step["category"] for step in of_pathway(steps, pathway).values()}

    assert found == CATEGORIES - ({"smoking_cessation"} if "child" in pathway else set())


@pytest.mark.parametrize("pathway", sorted(OSTEOTOMIES))
def test_conditions_cover_who_the_patient_is(steps, pathway):
    asked = [step.get("when", {}) for step in of_pathway(steps, pathway).values()]
    jobs = {str(when.get("job")) for when in asked if "job" in when}
    names = set(chain(*asked))

    if "child" in pathway:
        assert names == {"uses_wheelchair"}
    else:
        assert jobs == {"desk", "on_feet", "heavy"}
        assert names == {
            "uses_nicotine", "drives", "job", "lives_alone", "cares_for_others", "uses_wheelchair",
        }  # fmt: skip


ADULT_CARE = {
    "preparation": "plan-help-and-chores", "admission": "the-day-itself", "discharge": "going-home",
    "wound": "wound-check", "warning signs": "check-in-2-days", "walking aids": "walking-rules",
    "driving": "driving-ask", "work": "work-heavy", "sport": "high-impact-sport",
    "physiotherapy on the ward": "physio-in-hospital", "taper": "physio-taper", "X-ray": "xray-first",
}  # fmt: skip
CHILD_CARE = {
    "school": "tell-the-school", "therapists": "tell-local-therapists", "skin": "skin-check-daily",
    "seating": "seating-review", "metalwork": "metalwork-review", "discharge": "going-home",
    "back to school": "back-to-school", "wound": "wound-check", "X-ray": "xray-first",
}  # fmt: skip


@pytest.mark.parametrize("pathway", sorted(OSTEOTOMIES))
def test_every_stage_of_care_has_its_step(steps, pathway):
    wanted = CHILD_CARE if "child" in pathway else ADULT_CARE

    assert set(wanted.values()) - of_pathway(steps, pathway).keys() == set()


def test_the_positioning_device_stands_where_the_legs_are_kept_apart(steps):
    with_device = {pathway for pathway, key in steps if key == "legs-apart-device"}

    assert with_device == {"vdro-child", "dega-child", "combined-child"}


def test_two_years_are_said_of_the_one_operation_whose_source_says_so(steps):
    offsets = {
        name: step["offset"] for (name, key), step in steps.items() if key == "metalwork-review"
    }

    assert offsets == {
        "vdro-child": "2 years", "dega-child": "2 years", "combined-child": "2 years",
        "derotation-child": {"slot": "child_metalwork_review_weeks"},
    }  # fmt: skip


def test_moving_a_hip_back_by_hand_has_no_times_of_the_surgery(steps):
    own = of_pathway(steps, "realignment-adult")
    texts = " ".join(words(step) for step in own.values())

    assert {"one-crutch-review", "driving-ask", "physio-taper", "wound-care"} & own.keys() == set()
    assert re.findall(r"\d+ (weeks|months)", texts) == []
    assert "D29" in own["moved-back-by-hand"]["disagreements"]


def ancestors(catalogue, key):
    parents = {row.data["key"]: row.data.get("parent") for row in catalogue.procedures}
    while key:
        yield key
        key = parents[key]


def test_what_a_pathway_cites_is_about_its_patients(catalogue):
    """A fact about adults is not cited to a child's parent, nor one of another operation.

    What is done before or after an osteotomy has no parent: there a fact of the family counts.
    """
    facts = {row.data["key"]: row.data for row in catalogue.facts}
    wrong = []
    for row in catalogue.pathways:
        own = {*ancestors(catalogue, row.data["procedure"]), "hip-osteotomy"}
        for step in row.data["steps"]:
            for key in step.get("facts", ()):
                about = facts[key]
                fits = about["audience"] in (row.data["audience"], "any")
                if not fits or not own & set(about["procedures"]):
                    wrong.append((row.data["pathway"], step["key"], key))

    assert wrong == []


def test_what_a_guide_cites_is_about_its_readers(catalogue):
    facts = {row.data["key"]: row.data for row in catalogue.facts}
    wrong = []
    for page in catalogue.pages:
        own = {*ancestors(catalogue, page.data["procedure"]), "hip-osteotomy"}
        for section in page.data["sections"]:
            for key in section["facts"]:
                about, reader = facts[key], page.data["audience"]
                fits = reader == "any" or about["audience"] in (reader, "any")
                if not fits or not own & set(about["procedures"]):
                    wrong.append((page.data["page"], section["key"], key))

    assert wrong == []


@pytest.mark.parametrize("pathway", sorted(name for name in OSTEOTOMIES if "adult" in name))
def test_smoking_runs_from_six_weeks_before_to_six_weeks_after(steps, pathway):
    own = of_pathway(steps, pathway).values()
    smoking = [s for s in own if s["category"] == "smoking_cessation"]

    assert [(s["offset"], s.get("repeat"), s["when"]) for s in smoking] == [
        ("-6 weeks", None, {"uses_nicotine": True}),
        ("-5 weeks", {"every": "1 week", "times": 5}, {"uses_nicotine": True}),
        ("1 week", {"every": "1 week", "times": 6}, {"uses_nicotine": True}),
    ]
    assert smoking[0]["if_late"] == "send_now"
    assert "tell the team" in words(smoking[0])
    assert "{slot:smoking_shortest_weeks}" in words(smoking[0])


def test_no_text_gives_a_time_for_fasting(steps):
    for step in steps.values():
        assert not re.search(
            r"midnight|nothing (to eat|by mouth)|\d+ hours before", words(step), re.I
        )
    for pathway in OSTEOTOMIES | OTHERS:
        assert "{slot:fasting_letter}" in words(steps[pathway, "eating-and-drinking"])


def test_driving_and_sport_wait_for_the_clinics_decision(steps):
    assert steps["pao-adult", "driving-ask"]["disagreements"] == ["D3"]
    assert "{settled:D3}" in words(steps["pao-adult", "driving-ask"])
    assert "{settled:D12}" in words(steps["pao-adult", "high-impact-sport"])
    assert not re.search(
        r"\b(three|four|3|4|eight|8) weeks", words(steps["pao-adult", "driving-ask"])
    )


def test_x_ray_dates_are_the_clinics(steps):
    windows = [s for s in steps.values() if "window" in s]

    assert len(windows) == 3 * len(OSTEOTOMIES)
    assert all(isinstance(s["offset"], dict) for s in windows)
    assert {s["ends_when"] for s in windows} == {"xray_booked"}


def test_walking_is_never_the_aim_for_a_child(steps):
    texts = " ".join(words(s) for (pathway, _), s in steps.items() if "child" in pathway)

    assert re.findall(r"\b(walk|walking|crutch\w*|on (his|her|their) feet)\b", texts) == []


def test_the_day_before_and_reminders_of_visits_are_essential_and_sent_again_when_moved(steps):
    for (pathway, key), step in steps.items():
        if key in ("day-before", "eating-and-drinking", "report-illness-1-day") or "1-day" in key:
            assert step.get("essential"), (pathway, key)
            assert step["if_moved"] == "correct", (pathway, key)
            assert step["valid_for"].endswith("hours"), (pathway, key)


def test_every_repetition_is_valid_for_less_than_its_own_gap(steps):
    def hours(text):
        number, unit = text.split(" ")
        return int(number) * {"hour": 1, "day": 24, "week": 168}[unit.rstrip("s")]

    for key, step in steps.items():
        if "repeat" in step:
            assert hours(step["valid_for"]) < hours(step["repeat"]["every"]), key


# ---- Wording ----


def test_every_text_can_be_read_at_eleven(steps):
    too_hard = {
        key: round(age, 1) for key, step in steps.items() if (age := reading_age(words(step))) > 11
    }
    assert too_hard == {}


def test_every_value_that_can_stand_in_a_text_can_be_read_at_thirteen(catalogue):
    # Single sentences swing more than whole texts do.
    too_hard = {
        value["statement"]: round(age, 1)
        for row in catalogue.disagreements
        for value in row.data["values"]
        if row.data["key"]
        in {"D1", "D3", "D4", "D7", "D8", "D9", "D10", "D12", "D20", "D22", "D28"}
        and (age := reading_age(value["statement"])) > 13
    }
    assert too_hard == {}


def placeholders(step, language):
    return {
        part: set(re.findall(r"\{[^}]*\}", text)) for part, text in step["text"][language].items()
    }


def test_every_step_has_spanish_words_with_the_same_things_filled_in(steps):
    without = [key for key, step in steps.items() if "es" not in step["text"]]
    different = {
        key: (placeholders(step, "en-gb")["body"], placeholders(step, "es")["body"])
        for key, step in steps.items()
        if "es" in step["text"]
        and placeholders(step, "en-gb")["body"] != placeholders(step, "es")["body"]
    }

    assert without == []
    assert different == {}


def test_titles_stand_in_lists_and_pictures_where_nothing_is_filled_in(steps):
    titles = {text["title"] for step in steps.values() for text in step["text"].values()}

    assert [title for title in titles if "{" in title] == []


def test_a_spanish_text_is_no_english_one(steps):
    english = re.compile(r"\b(the|your|and|you|with|call us)\b", re.I)
    found = {
        key: match[0]
        for key, step in steps.items()
        if (match := english.search(re.sub(r"\{[^}]*\}", "", words(step, "es"))))
    }
    assert found == {}


def test_subjects_are_short(steps):
    assert [s["text"]["en-gb"]["subject"] for s in steps.values()
            if len(s["text"]["en-gb"]["subject"]) > 45] == []  # fmt: skip


def test_each_mail_asks_for_one_thing_in_one_or_two_sentences(steps):
    long = {key: s["text"]["en-gb"]["todo"] for key, s in steps.items()
            if len(re.findall(r"[.?!](\s|$)", s["text"]["en-gb"]["todo"])) > 2}  # fmt: skip
    assert long == {}


def test_no_percentages_are_shown(catalogue, steps):
    facts = " ".join(row.data["statement"] for row in catalogue.facts)
    texts = " ".join(words(step) for step in steps.values())

    assert "%" not in facts + texts
    assert "per cent" not in facts + texts


def test_american_readers_get_american_words(catalogue, steps):
    glossary = Glossary(catalogue.words)
    reader = StepReader(Relations([]), glossary)

    for step in steps.values():
        content = reader.content(step, 1)
        texts = [value for key, value in content.items() if key.startswith("text.en-us")]
        assert [text for text in texts if glossary.british.search(text)] == []


@pytest.mark.parametrize(
    ("word", "count"),
    [("cat", 1), ("healing", 2), ("bone", 1), ("table", 2), ("places", 2), ("walked", 1),
     ("rested", 2), ("physiotherapist", 2), ("medicine", 2), ("the", 1), ("you're", 1)],
)  # fmt: skip
def test_syllables(word, count):
    assert syllables_in(word) == count


@pytest.mark.parametrize(
    ("word", "count"),
    [("casa", 2), ("cirugía", 4), ("hueso", 2), ("radiografía", 3), ("que", 1), ("día", 2), ("y", 1),
     ("anestesia", 3), ("llámenos", 3), ("leer", 2), ("pierna", 2), ("guía", 2), ("peor", 2)],
)  # fmt: skip
def test_spanish_syllables(word, count):
    assert spanish_syllables_in(word) == count


def test_harder_spanish_is_less_easy():
    easy = "El gato come pan. Hace sol."
    hard = "Las complicaciones posoperatorias tromboembólicas requieren anticoagulación farmacológica prolongada."
    assert spanish_ease(easy) > 80
    assert spanish_ease(hard) < 20
    assert spanish_ease("") == 100


def test_every_spanish_step_is_easy_to_read(steps):
    too_hard = {
        key: round(ease)
        for key, step in steps.items()
        if (ease := spanish_ease(words(step, "es"))) < 65
    }
    assert too_hard == {}


def test_harder_texts_ask_for_more_years():
    easy = "The cat sat on the mat. It was warm."
    hard = (
        "Notwithstanding considerable heterogeneity, contemporary rehabilitation methodologies "
        "demonstrate statistically significant functional improvements."
    )
    assert reading_age(easy) == 5
    assert reading_age(hard) > 20
    assert reading_age("") == 5
