"""Fixtures for records: the real catalogue, loaded."""

import pytest

from procedures.loading import load_catalogue


@pytest.fixture
def catalogue(db):
    """The questionnaires of the real catalogue, in the database."""
    return load_catalogue()
