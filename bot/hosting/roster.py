"""Reads a member's user principal name from the channel's roster."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bot.activity import Address, RosterUnavailable, Undelivered, Unreachable
from bot.hosting.delivery import Delivery

log = structlog.get_logger()

GUEST = "#ext#"
"""Part of the principal name that Entra gives to a guest."""

_NO_SUCH_ROUTE = frozenset({404, 405, 501})

RosterCall = Callable[[], Awaitable[Any]]


async def principal_name(
    delivery: Delivery, get_member: RosterCall, get_members: RosterCall, address: Address
) -> str:
    """The user principal name of ``address.user_id``; empty when the roster has none.

    ``get_member`` reads this member, ``get_members`` all: some channels support only the latter, some neither.
    Raises ``RosterUnavailable`` when the channel does not answer.
    """
    found = await _query(delivery, get_member)
    members = await _query(delivery, get_members) if found is None else [found]
    return _name_among(members, address)


async def _query(delivery: Delivery, call: RosterCall) -> Any:
    """The channel's answer; None when it does not support the call or does not know the member."""
    try:
        answer, status = await delivery.query(call), 200
    except (Undelivered, Unreachable) as failure:
        answer, status = None, getattr(failure, "status", 403)
    if answer is None and status not in _NO_SUCH_ROUTE:
        log.warning("roster_unavailable", status=status)
        raise RosterUnavailable
    return answer


def _name_among(members: Any, address: Address) -> str:
    for member in members if isinstance(members, list) else []:
        if isinstance(member, dict) and member.get("id") == address.user_id and _belongs_to_tenant(member, address):
            name = member.get("userPrincipalName")
            return name if isinstance(name, str) else ""
    return ""


def _belongs_to_tenant(member: dict[str, Any], address: Address) -> bool:
    """Whether the member is of this tenant; a guest counts only under the guest name, not the home one."""
    tenant = member.get("tenantId") or address.tenant_id
    is_guest = member.get("userRole", "user") != "user"
    name = str(member.get("userPrincipalName", ""))
    return str(tenant).lower() == address.tenant_id and (not is_guest or GUEST in name.lower())
