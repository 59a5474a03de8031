"""Reads the catalogue's text files, checks them, and brings the database up to them.

`documents` reads YAML and remembers lines; `schema` and `references` check; `rows` and `drafts` write.
"""

from procedures.loading.catalogue import CATALOGUE, Catalogue, CatalogueError
from procedures.loading.drafts import load_catalogue, make_drafts
from procedures.loading.merge import LoadReport
from procedures.loading.reading import read_catalogue

__all__ = [
    "CATALOGUE",
    "Catalogue",
    "CatalogueError",
    "LoadReport",
    "load_catalogue",
    "make_drafts",
    "read_catalogue",
]
