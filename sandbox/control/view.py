"""The whole state as the switchboard shows it. Times are ISO 8601 in UTC."""

from datetime import UTC, datetime
from typing import Any

from sandbox.entra.registration import Secret
from sandbox.state import REFUSING, World
from sandbox.world.people import Device, Person, TeamsUser
from sandbox.world.phones import Phone, PhoneCall
from sandbox.world.presence import live_chosen, live_message, live_session, shown

_NO_PHONE = Phone(registered=False)


def iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def world_json(world: World) -> dict[str, Any]:
    traffic = world.saved.traffic
    return {
        "people": _people_json(world),
        "groups": [
            {"id": group.id, "name": group.name, "members": list(group.members)} for group in world.saved.groups
        ],
        "cloudlink": _cloudlink_json(world),
        "registration": _registration_json(world),
        "faults": world.saved.faults.as_json(),
        "refusals": {service: world.refuse_next[service] for service in REFUSING},
        "traffic": {"running": traffic.running, "callsPerMinute": traffic.calls_per_minute},
        "counts": world.journal.counts.as_json(),
    }


def _people_json(world: World) -> list[dict[str, Any]]:
    """All people with a phone, then the Teams users without one."""
    now, users = world.now(), {user.id: user for user in world.saved.teams if not user.removed}
    rows = [_row(person, users.pop(person.teams_id or "", None), now) for person in world.saved.people]
    return rows + [_row(None, user, now) for user in users.values()]


def _row(person: Person | None, user: TeamsUser | None, now: datetime) -> dict[str, Any]:
    name = person.name if person else user.name if user else ""
    desk = person.desk if person else None
    return {
        "key": desk.key if desk else None,
        "site": person.site if person else "",
        "extension": person.extension if person else None,
        "name": name,
        "address": person.address if person else "",
        "phone": _phone_json(person.phone if person else _NO_PHONE),
        "others": [_device_json(device) for device in person.others] if person else [],
        "teams": _teams_json(user, now) if user else None,
    }


def _device_json(device: Device) -> dict[str, Any]:
    named = {"key": device.key, "number": device.number, "kind": device.kind, "site": device.site}
    return named | {"phone": _phone_json(device.phone)}


def _phone_json(phone: Phone) -> dict[str, Any]:
    return {
        "registered": phone.registered,
        "doNotDisturb": phone.do_not_disturb,
        "calls": [_call_json(call) for call in phone.calls],
    }


def _call_json(call: PhoneCall) -> dict[str, Any]:
    return {
        "callId": call.call_id,
        "state": call.state,
        "direction": call.direction,
        "from": call.from_,
        "to": call.to,
        "conference": call.conference,
        "since": iso(call.since),
    }


def _teams_json(user: TeamsUser, now: datetime) -> dict[str, Any]:
    session, chosen = live_session(user.session, now), live_chosen(user.chosen, now)
    seen = shown(user.client, user.session, user.chosen, now)
    return {
        "id": user.id,
        "upn": user.upn,
        "mail": user.mail,
        "enabled": user.enabled,
        "guest": user.guest,
        "refusal": user.refusal,
        "client": user.client,
        "chosen": chosen and {"availability": chosen.availability, "activity": chosen.activity},
        "session": session
        and {
            "availability": session.availability,
            "activity": session.activity,
            "expiresAt": iso(session.expires_at),
        },
        "shown": seen._asdict(),
        "statusMessage": live_message(user.status_message, now),
    }


def _cloudlink_json(world: World) -> dict[str, Any]:
    account = world.saved.account
    return {
        "accountId": account.id,
        "accountName": account.name,
        "region": account.region,
        "clientId": account.client_id,
        "clientSecret": account.client_secret,
    }


def _registration_json(world: World) -> dict[str, Any]:
    registration, now = world.saved.registration, world.now()
    return {
        "name": registration.name,
        "tenantId": registration.tenant_id,
        "clientId": registration.client_id,
        "organisation": registration.organisation,
        "deleted": registration.deleted,
        "disabled": registration.disabled,
        "servicePrincipal": registration.service_principal,
        "conditionalAccess": registration.conditional_access,
        "permissions": dict(registration.permissions),
        "secrets": [secret_json(secret, now) for secret in registration.secrets],
        "certificates": [
            {"thumbprint": each.thumbprint, "endDateTime": iso(each.end)} for each in registration.certificates
        ],
    }


def secret_json(secret: Secret, now: datetime) -> dict[str, Any]:
    return {
        "keyId": secret.key_id,
        "description": secret.description,
        "hint": secret.hint,
        "value": secret.value,
        "endDateTime": iso(secret.end),
        "expired": now >= secret.end,
    }
