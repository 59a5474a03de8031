"""Fixtures for records: the questionnaires of the real catalogue, with the warning signs they cite."""

import pytest

from procedures.loading import LoadReport, read_catalogue
from procedures.loading.questionnaires import load_questionnaires
from procedures.models import Fact


@pytest.fixture(scope="session")
def catalogue_files():
    """The catalogue as it stands in the files, read and checked."""
    return read_catalogue()


@pytest.fixture
def questionnaires(db, catalogue_files):
    """The questionnaires, in the database; the rest of the catalogue is not needed for them."""
    for number in range(1, 15):
        Fact.objects.create(key=f"W{number}", topic="warning", statement="A sign.", audience="any")
    load_questionnaires(catalogue_files, force=False, report=LoadReport())
