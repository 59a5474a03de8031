"""What staff type into a search stays out of addresses, logs and histories: it lies in their session.

The address holds a mark instead, `q=~…`, which means something to the person who searched, and to
nobody else. Following it back, to the next page or to another order finds the words again.
"""

from __future__ import annotations

import secrets

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

SIGN = "~"
# The oldest is forgotten first.
SEARCHES_KEPT = 20
_KEY = "searches"
_NOT_CARRIED = frozenset({"q", "p", "csrfmiddlewaretoken", "all"})


def kept(request: HttpRequest, words: str) -> str:
    """Keep the words in the session. Returns the mark that stands for them."""
    mark = SIGN + secrets.token_urlsafe(9)
    searches = [*request.session.get(_KEY, []), [mark, words[:200]]]
    request.session[_KEY] = searches[-SEARCHES_KEPT:]
    return mark


def words_behind(request: HttpRequest, query: str) -> str:
    """The words that a mark stands for; nothing for a mark of another session; other text as it is."""
    if not query.startswith(SIGN):
        return query
    found: str = dict(request.session.get(_KEY, [])).get(query, "")
    return found


def to_marked_address(request: HttpRequest) -> HttpResponse:
    """Answer a search that was sent as a form: to the same list, with what it is filtered by, and a mark."""
    words = request.POST.get("q", "").strip()
    query = request.POST.copy()
    for name in _NOT_CARRIED & set(query):
        del query[name]
    if words:
        query["q"] = kept(request, words)
    return redirect(f"{request.path}?{query.urlencode()}" if query else request.path)
