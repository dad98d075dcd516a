"""A cluster of the sandbox: it answers as a real API server does (tests/real asks one the same)."""

import json
from typing import Any

import pytest

from aioregistry.sandbox.state.cluster import Cluster

# By what is asked: path and query, who asks, status, media type, and a part of the answer.
ANSWERS: dict[str, tuple[str, dict[str, str], str, int, str, str]] = {
    "by nobody": ("/api/v1/pods", {}, "", 403, "json", "system:anonymous"),
    "by a wrong token": ("/api/v1/pods", {}, "Bearer x", 401, "json", '"Unauthorized"'),
    "of no group": ("/apis/nix.io/v1/things", {}, "me", 404, "plain", "404 page not found"),
    "of no version": ("/apis/apps/v9/deployments", {}, "me", 404, "json", "could not find the"),
    "of no kind": ("/apis/apps/v1/things", {}, "me", 404, "json", "could not find the requested"),
    "from no place": ("/api/v1/pods", {"continue": "!"}, "me", 400, "json", "invalid continue"),
    "a part": ("/api/v1/pods", {"limit": "1"}, "me", 200, "json", '"remainingItemCount":2'),
    "a whole list": ("/apis/batch/v1/jobs", {}, "me", 200, "json", '"kind":"JobList"'),
}


def compact(body: str) -> str:
    """JSON without its spaces; other text as it is."""
    try:
        return json.dumps(json.loads(body), separators=(",", ":"))
    except ValueError:
        return body


@pytest.mark.parametrize("asked", ANSWERS)
def test_it_answers_as_a_real_one(asked):
    path, query, who, status, kind, part = ANSWERS[asked]
    cluster = Cluster(name="blue")
    for number in range(3):
        cluster.run("web:1", f"web-{number}")
    who = f"Bearer {cluster.token}" if who == "me" else who
    answer: Any = cluster.answer("GET", path, query, who, b"")
    assert answer is not None
    assert answer[0] == status
    assert kind in answer[2]
    assert part in compact(answer[1].decode())


def test_a_place_that_it_has_forgotten_comes_with_one_for_the_rest():
    cluster = Cluster(name="blue", page=1, expired=1)
    for number in range(2):
        cluster.run("web:1", f"web-{number}")

    def ask(**query: str) -> Any:
        answer = cluster.answer("GET", "/api/v1/pods", query, f"Bearer {cluster.token}", b"")
        assert answer is not None
        return json.loads(answer[1])

    place = ask()["metadata"]["continue"]
    forgotten = ask(**{"continue": place})
    assert (forgotten["code"], forgotten["reason"]) == (410, "Expired")
    assert len(ask(**{"continue": forgotten["metadata"]["continue"]})["items"]) == 1
