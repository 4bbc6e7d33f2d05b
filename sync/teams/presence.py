"""Presence written to and read from Graph: up to 20 changes in one ``$batch``, reads of up to 650 people.

Sources: Graph reference, "presence: getPresencesByUserId", and "Combine multiple requests using JSON batching".
Every request in a batch counts against the quota, whose owner retries: nothing here waits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core.http.client import cleaned
from sync.domain.changes import Done, Failed, Outcome, Refused, Request
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.presence import Presence, Shown
from sync.domain.services import MAX_CHANGES, MAX_READ
from sync.teams.batch import batch_of, outcomes_of
from sync.teams.graph_client import GraphClient
from sync.teams.tokens import PRESENCE_ROLE, roles_in

MAX_MESSAGE = 2000
PINNED = "<pinnednote></pinnednote>"

_WORDS = {
    word.casefold(): word
    for presence in Presence
    for word in (presence.availability, presence.activity, "Offline", "BeRightBack", "AvailableIdle", "BusyIdle")
}


class PresenceWriter:
    """Sets, clears and reads presence as one application, whose ``client_id`` is the session's id.

    Raises, when a call as a whole failed: ``CredentialsWrong`` (GRAPH_FORBIDDEN, ENTRA_*) and
    ``ServiceUnavailable`` (GRAPH_THROTTLED, GRAPH_UNREACHABLE, GRAPH_REFUSED, GRAPH_UNREADABLE, ENTRA_UNREACHABLE).
    """

    def __init__(self, graph: GraphClient, client_id: str) -> None:
        self._graph = graph
        self._client_id = client_id

    async def push(self, changes: Sequence[Request]) -> list[Outcome]:
        """Send at most ``MAX_CHANGES``; the outcome of each, in their order.

        A refusal inside the batch is that person's (no licence, no Teams, a policy). When none was accepted and
        some were forbidden, a fresh token says whether the application lost its permission: then they ``Failed``.
        """
        if len(changes) > MAX_CHANGES:
            raise ValueError(f"a batch holds at most {MAX_CHANGES} changes")
        if not changes:
            return []
        response = await self._graph.request("POST", "/$batch", batch_of(changes, self._client_id))
        outcomes = outcomes_of(changes, response, self._graph.served_at)
        if not any(map(_is_forbidden, outcomes)):
            return outcomes
        self._graph.tokens.forget()
        is_proven = any(isinstance(each, Done) for each in outcomes)
        if is_proven or await self._has_consent():
            return outcomes
        self._graph.tokens.forget()  # the next push sees consent granted in between
        error = CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions=PRESENCE_ROLE)
        return [Failed(error, each.request_id) if isinstance(each, Refused) else each for each in outcomes]

    async def _has_consent(self) -> bool:
        """Whether a fresh token holds the role; a token that cannot be read proves nothing against it."""
        roles = roles_in(await self._graph.tokens.token())
        return roles is None or PRESENCE_ROLE in roles

    async def read(self, user_ids: Sequence[str]) -> dict[str, Shown]:
        """Availability and activity of at most ``MAX_READ`` people, by requested id; unknown words unchanged."""
        return {user_id: _words(each) for user_id, each in (await self._read(user_ids)).items()}

    async def messages(self, user_ids: Sequence[str]) -> dict[str, str]:
        """The status messages of at most ``MAX_READ`` people, by the requested ids, empty for none."""
        return {user_id: _message(each) for user_id, each in (await self._read(user_ids)).items()}

    async def _read(self, user_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        if len(user_ids) > MAX_READ:
            raise ValueError(f"at most {MAX_READ} people are read in one request")
        if not user_ids:
            return {}
        response = await self._graph.request(
            "POST", "/communications/getPresencesByUserId", {"ids": list(user_ids)}
        )
        found = response.get("value") if isinstance(response, Mapping) else None
        if not isinstance(found, list):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        requested = {user_id.casefold(): user_id for user_id in user_ids}
        shown = {str(each.get("id")).casefold(): each for each in found if isinstance(each, Mapping)}
        return {requested[key]: each for key, each in shown.items() if key in requested}


def _is_forbidden(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.status in {401, 403}


def _words(presence: Mapping[str, Any]) -> Shown:
    return Shown(_word(presence.get("availability")), _word(presence.get("activity")))


def _message(presence: Mapping[str, Any]) -> str:
    """The text of ``statusMessage``, without the mark by which Teams pins it (observed, not documented)."""
    status = presence.get("statusMessage")
    message = status.get("message") if isinstance(status, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    return cleaned(content, MAX_MESSAGE).replace(PINNED, "").strip() if isinstance(content, str) else ""


def _word(value: object) -> str:
    """Graph writes ``inACall`` as well as ``InACall``: known words are returned in one spelling."""
    word = cleaned(value, 60)
    return _WORDS.get(word.casefold(), word)
