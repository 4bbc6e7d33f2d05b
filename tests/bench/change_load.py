"""What is asked of a process that is measured, what was seen of it, and the body of a webhook."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import time
from typing import Any

BEGIN, END = ("originated", "ringing", "connected"), ("held", "ended")
"""The states of a call of which CloudLink reports: two and a half for each change of what Teams shows."""


@dataclass(frozen=True, slots=True)
class Load:
    """``changes`` of ``people`` in turns, the first being ``first``, posted to ``url``.

    It is over when Graph was asked for ``enough`` of them, by default for all. Graph refuses what is beyond
    ``quota`` requests in 30 seconds; 0 is no limit. ``brief``: of each call only the event that changes something.
    """

    url: str
    changes: int
    per_second: float
    people: int
    first: int
    enough: int = 0
    quota: int = 0
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """In seconds: until webhooks were answered, and from the one that changes something until Graph was asked.

    ``refused`` requests were beyond the quota. ``share`` is the part of the quota that was used: had it been all,
    each request would have come 30 seconds after the one that is a quota before it.
    """

    answered: Sequence[float]
    shown: Sequence[float]
    refused: int
    share: float


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else 0.0


def event_body(person: int, call: str, state: str, event_id: str) -> dict[str, Any]:
    """A notification as Mitel documents it."""
    place, at = f"/2017-09-01/endpoints/{person}/calls/{call}", int(time() * 1000)
    return {
        "publicationId": event_id,
        "topic": "platform-api-media",
        "method": "PUT",
        "subject": place,
        "content": {
            "state": state,
            "cause": "normal",
            "direction": "inbound",
            "from": "+351 210 000 000",
            "to": str(person),
            "endpointId": str(person),
            "userId": f"user {person}",
            "principalId": f"user {person}",
            "accountId": "account",
            "siteId": "",
            "callId": call,
            "timestamp": at,
            "eventId": event_id,
            "eventType": "CallStateNotification",
            "_links": {"self": {"href": place}},
        },
        "publisher": {"principalId": "publisher", "accountId": "account"},
        "subscription": {"subscriptionId": "subscription"},
        "notification": {"createdOn": at, "correlationId": event_id},
    }
