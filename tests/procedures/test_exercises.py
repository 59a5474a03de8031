"""The library of exercises: plain words in every language, filed by phase, and loaded again and again."""

import pytest

from procedures.loading import CatalogueError, LoadReport, read_catalogue
from procedures.loading.exercises import load_exercises
from procedures.models import Exercise
from procedures.reading_level import reading_age

GOOD = """exercises:
  - key: bridge
    audience: adult
    phase: building
    text:
      en-gb: {name: Bridge, instructions: [Wear firm trousers., Lift up.]}
      es: {name: Puente, instructions: [Túmbese., Suba.]}
"""


@pytest.fixture(scope="module")
def library():
    return read_catalogue()


@pytest.mark.parametrize("audience", ["adult", "child"])
def test_a_person_of_nine_to_eleven_understands_them(library, audience):
    words = [
        f"{row.data['text']['en-gb']['name']}. {' '.join(row.data['text']['en-gb']['instructions'])}"
        for row in library.exercises
        if row.data["audience"] == audience
    ]
    assert reading_age("\n\n".join(words)) <= 11


@pytest.mark.parametrize(
    ("audience", "phases"),
    [
        ("adult", {"before", "first_days", "early_weeks", "building", "later"}),
        ("child", {"first_days", "early_weeks", "building", "later"}),
    ],
)
def test_each_phase_has_exercises(library, audience, phases):
    found = {row.data["phase"] for row in library.exercises if row.data["audience"] == audience}
    assert found == phases


def test_each_language_has_as_many_sentences(library):
    for row in library.exercises:
        texts = row.data["text"].values()
        assert len({len(words["instructions"]) for words in texts}) == 1, row.data["key"]


@pytest.mark.django_db
def test_loading_twice_changes_nothing_and_an_edit_stays(library):
    first, second = LoadReport(), LoadReport()
    load_exercises(library, force=False, report=first)
    assert (first.counts["new"], Exercise.objects.count()) == (len(library.exercises),) * 2
    row = Exercise.objects.get(key="bridge")
    row.phase = "later"
    row.save()
    load_exercises(library, force=False, report=second)
    row.refresh_from_db()
    assert (row.phase, second.counts["new"], second.counts["changed"]) == ("later", 0, 0)


@pytest.mark.django_db
def test_americans_read_their_own_words(files):
    files.write("exercises/adult.yaml", GOOD)
    files.write("glossary.yaml", "words:\n  - {en-gb: trousers, en-us: pants}\n")
    load_exercises(read_catalogue(files.path), force=False, report=LoadReport())
    words = Exercise.objects.get().words
    assert words["en-us"] == {"name": "Bridge", "instructions": ["Wear firm pants.", "Lift up."]}
    assert words["en-gb"]["instructions"][0] == "Wear firm trousers."


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("phase: building", "phase: soon", "“soon” is not one of before, first_days"),
        ("Lift up.", "'Lift {name}'", "an exercise cannot fill {name}"),
        ("Lift up.", "<b>Lift</b>", "words of an exercise are plain, without markup"),
        ("[Túmbese., Suba.]", "[Suba.]", "instructions"),
        ("      es: {name: Puente", "      ar: {name: Puente", "“es” is missing"),
    ],
)
def test_a_fault_in_a_file_is_found(files, old, new, said):
    files.write("exercises/adult.yaml", GOOD.replace(old, new))
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(files.path)
    assert said in str(caught.value)


def test_a_key_stands_once(files):
    files.write("exercises/adult.yaml", GOOD)
    files.write("exercises/child.yaml", GOOD)
    with pytest.raises(CatalogueError, match=r"stands in exercises/adult\.yaml:2 already"):
        read_catalogue(files.path)
