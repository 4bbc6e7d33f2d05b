"""What is asked of a process whose cost for one change is measured, and the body of a webhook."""

from dataclasses import dataclass
from time import time
from typing import Any

BEGIN, END = ("originated", "ringing", "connected"), ("held", "ended")
"""The states of a call of which CloudLink reports: two and a half for each change of what Teams shows."""


@dataclass(frozen=True, slots=True)
class Load:
    """``changes`` of ``people`` in turns, the first being ``first``, posted to ``url``."""

    url: str
    changes: int
    per_second: float
    people: int
    first: int


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
