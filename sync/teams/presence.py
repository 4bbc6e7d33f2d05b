"""Presence in and out of Graph: up to twenty changes in one ``$batch``, reads of up to 650 people.

Sources: Graph reference, "presence: getPresencesByUserId", and "Combine multiple requests using JSON batching".
Every request in a batch counts against the quota; retries belong to whoever keeps it, so nothing waits here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson
import structlog

from core.clock import Clock, utc_now
from core.correlation import new_cause
from core.http import TooLarge, cleaned, read_capped, retry_after
from sync.domain.changes import Failed, Outcome, Request
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import Service
from sync.domain.presence import Presence
from sync.teams.batch import CLIENT_REQUEST_ID, batch_of, outcomes_of
from sync.teams.tokens import Tokens

MOST_CHANGES = 20
MOST_READ = 650
LARGEST_ANSWER = 5_000_000
LONGEST_MESSAGE = 2000
PINNED = "<pinnednote></pinnednote>"
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5, sock_connect=5)

_WORDS = {
    word.casefold(): word
    for presence in Presence
    for word in (presence.availability, presence.activity, "Offline", "BeRightBack", "AvailableIdle", "BusyIdle")
}

log = structlog.get_logger()


class PresenceWriter:
    """Sets, clears and reads presence as one application; ``http`` belongs to the caller.

    Raises, when a call as a whole failed: ``CredentialsWrong`` (GRAPH_FORBIDDEN, and what Entra says) and
    ``ServiceUnavailable`` (GRAPH_THROTTLED, GRAPH_UNREACHABLE, GRAPH_UNREADABLE).
    """

    def __init__(
        self, http: aiohttp.ClientSession, graph_url: str, tokens: Tokens, client_id: str, clock: Clock = utc_now
    ) -> None:
        self._http = http
        self._base = graph_url.rstrip("/") + "/v1.0"
        self._tokens = tokens
        self._client_id = client_id
        self._clock = clock

    async def push(self, changes: Sequence[Request]) -> list[Outcome]:
        """Send at most twenty changes; what became of each, in their order."""
        if len(changes) > MOST_CHANGES:
            raise ValueError(f"a batch holds at most {MOST_CHANGES} changes")
        if not changes:
            return []
        answer = await self._post("/$batch", batch_of(changes, self._client_id))
        outcomes = outcomes_of(changes, answer, self._clock())
        if any(isinstance(each, Failed) and isinstance(each.error, CredentialsWrong) for each in outcomes):
            self._tokens.forget()
        return outcomes

    async def read(self, user_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Availability and activity of at most 650 people, by the ids asked for; unknown words as they came."""
        return {user_id: _words(each) for user_id, each in (await self._read(user_ids)).items()}

    async def messages(self, user_ids: Sequence[str]) -> dict[str, str]:
        """The status messages of at most 650 people, by the ids asked for, empty for those who have none."""
        return {user_id: _message(each) for user_id, each in (await self._read(user_ids)).items()}

    async def _read(self, user_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        if len(user_ids) > MOST_READ:
            raise ValueError(f"at most {MOST_READ} people are read at once")
        if not user_ids:
            return {}
        answer = await self._post("/communications/getPresencesByUserId", {"ids": list(user_ids)})
        found = answer.get("value") if isinstance(answer, Mapping) else None
        if not isinstance(found, list):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        asked = {user_id.casefold(): user_id for user_id in user_ids}
        shown = {str(each.get("id")).casefold(): each for each in found if isinstance(each, Mapping)}
        return {asked[key]: each for key, each in shown.items() if key in asked}

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Graph's answer, decoded; a refused token is replaced and the call made again, once."""
        outcome = await self._outcome(path, body)
        if isinstance(outcome, CredentialsWrong) and outcome.context["status"] == 401:
            self._tokens.forget()
            outcome = await self._outcome(path, body)
        if isinstance(outcome, CredentialsWrong):
            self._tokens.forget()
        if isinstance(outcome, SyncError):
            raise outcome
        return outcome

    async def _outcome(self, path: str, body: Mapping[str, Any]) -> Any:
        headers = {
            "Authorization": f"Bearer {await self._tokens.token()}",
            "Content-Type": "application/json",
            CLIENT_REQUEST_ID: new_cause(),
        }
        try:
            async with self._http.post(
                self._base + path,
                data=orjson.dumps(body),
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                trace_request_ctx=Service.GRAPH,
            ) as response:
                if response.status != 200:
                    log_refusal(response)
                    return self._trouble(response)
                return orjson.loads(await read_capped(response.content.iter_any(), LARGEST_ANSWER))
        except (TooLarge, orjson.JSONDecodeError, aiohttp.ClientPayloadError) as error:
            return ServiceUnavailable(Fault.GRAPH_UNREADABLE, error=type(error).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return ServiceUnavailable(Fault.GRAPH_UNREACHABLE, error=type(error).__name__)

    def _trouble(self, response: aiohttp.ClientResponse) -> SyncError:
        status = response.status
        wait = retry_after(response.headers.get("Retry-After"), self._clock())
        if status in {401, 403}:
            return CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=status)
        if status == 429:
            return ServiceUnavailable(Fault.GRAPH_THROTTLED, wait)
        fault = Fault.GRAPH_UNREACHABLE if status >= 500 else Fault.GRAPH_UNREADABLE
        return ServiceUnavailable(fault, wait, status=status)


def log_refusal(response: aiohttp.ClientResponse) -> None:
    """With the ids by which Microsoft's support finds it."""
    log.info(
        "graph_refused",
        status=response.status,
        request_id=cleaned(response.headers.get("request-id"), 100),
        client_request_id=response.request_info.headers.get(CLIENT_REQUEST_ID, ""),
    )


def _words(presence: Mapping[str, Any]) -> tuple[str, str]:
    return _word(presence.get("availability")), _word(presence.get("activity"))


def _message(presence: Mapping[str, Any]) -> str:
    """What stands in ``statusMessage``, without the mark by which Teams pins it (seen, not documented)."""
    status = presence.get("statusMessage")
    message = status.get("message") if isinstance(status, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    return cleaned(content, LONGEST_MESSAGE).replace(PINNED, "").strip() if isinstance(content, str) else ""


def _word(value: object) -> str:
    """Graph writes ``inACall`` as well as ``InACall`` lately: known words come in one spelling."""
    word = cleaned(value, 60)
    return _WORDS.get(word.casefold(), word)
