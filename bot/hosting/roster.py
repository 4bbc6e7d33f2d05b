"""Who a member of a conversation is in Entra, as the channel has it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from botframework.connector.aio import ConnectorClient

from bot.hosting.connector import Answer
from bot.hosting.delivery import Delivery
from bot.turns import Address, Undelivered, Unreachable

log = structlog.get_logger()

_NO_SUCH_ROUTE = frozenset({404, 405, 501})


async def principal_name(connector: ConnectorClient, delivery: Delivery, address: Address) -> str:
    """The user principal name of ``address.user_id``; empty when the roster has none or does not answer."""
    conversations, conversation_id, user_id = connector.conversations, address.conversation_id, address.user_id
    one = partial(conversations.get_conversation_member, conversation_id, user_id, raw=True)
    everyone = partial(conversations.get_conversation_members, conversation_id, raw=True)
    try:
        try:
            members = [await _read(delivery, one)]
        except Undelivered as failure:
            if failure.status not in _NO_SUCH_ROUTE:
                raise
            members = await _read(delivery, everyone)
    except (Undelivered, Unreachable) as failure:
        log.warning("roster_unreadable", error=type(failure).__name__)
        return ""
    return _name_among(members, user_id)


async def _read(delivery: Delivery, call: Callable[[], Awaitable[Any]]) -> Any:
    """The JSON as it came: botbuilder's model of a member has no principal name."""
    answer: Answer = (await delivery.ask(call)).response
    return answer.json()


def _name_among(members: Any, user_id: str) -> str:
    for member in members if isinstance(members, list) else []:
        if isinstance(member, dict) and member.get("id") == user_id:
            name = member.get("userPrincipalName")
            return name if isinstance(name, str) else ""
    return ""
