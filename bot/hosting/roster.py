"""Who a member of a conversation is in Entra, as the channel has it."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bot.activity import Address, RosterUnavailable, Undelivered, Unreachable
from bot.hosting.delivery import Delivery

log = structlog.get_logger()

GUEST = "#ext#"
"""Stands in the name that Entra gives to a guest."""

_NO_SUCH_ROUTE = frozenset({404, 405, 501})

Question = Callable[[], Awaitable[Any]]


async def principal_name(delivery: Delivery, one: Question, everyone: Question, address: Address) -> str:
    """The user principal name of ``address.user_id``; empty when the roster has none.

    ``one`` asks for this member, ``everyone`` for all: some channels know only the latter, and some neither.
    Raises ``RosterUnavailable`` when the channel does not answer.
    """
    found = await _asked(delivery, one)
    members = await _asked(delivery, everyone) if found is None else [found]
    return _name_among(members, address)


async def _asked(delivery: Delivery, question: Question) -> Any:
    """What the channel answers; None when it knows no such question, or nobody of that name."""
    try:
        answer, status = await delivery.ask(question), 200
    except (Undelivered, Unreachable) as failure:
        answer, status = None, getattr(failure, "status", 403)
    if answer is None and status not in _NO_SUCH_ROUTE:
        log.warning("roster_unavailable", status=status)
        raise RosterUnavailable
    return answer


def _name_among(members: Any, address: Address) -> str:
    for member in members if isinstance(members, list) else []:
        if isinstance(member, dict) and member.get("id") == address.user_id and _is_at_home(member, address):
            name = member.get("userPrincipalName")
            return name if isinstance(name, str) else ""
    return ""


def _is_at_home(member: dict[str, Any], address: Address) -> bool:
    """Not of another tenant; and a guest only under the guest's own name, never the one borne at home."""
    tenant = member.get("tenantId") or address.tenant_id
    is_guest = member.get("userRole", "user") != "user"
    name = str(member.get("userPrincipalName", ""))
    return str(tenant).lower() == address.tenant_id and (not is_guest or GUEST in name.lower())
