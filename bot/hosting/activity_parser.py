"""From an activity's JSON to what the bot understands. Pure: JSON in, ``ParsedActivity`` out or ``Refused``.

Only fields that were checked go on: botbuilder's ``Activity`` is built from them, never deserialised from the
wire (a field of the wrong type makes its deserialiser raise). Source of the shapes: Bot Framework reference,
"Activity"; Teams, "Conversation events" and "Universal Actions for Adaptive Cards".
"""

import re
from dataclasses import dataclass
from zoneinfo import available_timezones

from bot.activity import Action, Address, Incoming, Installed, Message, Removed, Sender
from bot.hosting.fields import Json, flag, identifier, obj, objects, required, text
from bot.hosting.inputs import read_execute, read_submit
from bot.hosting.refusals import Refused

MAX_TEXT = 4_000
MAX_NAME = 200
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_UNUSED = frozenset(
    {"typing", "messageReaction", "event", "endOfConversation", "messageUpdate", "messageDelete"},
)

_ZONES = available_timezones()

What = Message | Action | Installed | Removed


@dataclass(frozen=True, slots=True)
class ParsedActivity:
    """An activity with all its used fields checked. ``what`` is None when nothing is to be done about it."""

    type: str
    id: str
    what: What | None
    sender: Sender
    address: Address
    locale: str
    personal: bool
    conversation_type: str
    expects_replies: bool
    time_zone: str = ""

    @property
    def invoked(self) -> bool:
        return self.type == "invoke"

    def incoming(self, what: What) -> Incoming:
        return Incoming(
            what, self.sender, self.address, self.address.tenant_id, self.locale, self.personal, self.time_zone
        )


def parse_activity(activity: Json) -> ParsedActivity:
    """Raises ``Refused``: 400 for a missing or wrong field or an unknown type, 501 for an invoke we do not know.

    403 when it names two tenants.
    """
    kind = required(activity, "type")
    conversation = obj(activity, "conversation")
    conversation_type = identifier(conversation, "conversationType")
    group = flag(conversation, "isGroup")
    address = _address(activity, conversation)
    return ParsedActivity(
        type=kind,
        id=identifier(activity, "id"),
        what=_what(kind, activity, address.bot_id),
        sender=_sender(obj(activity, "from")),
        address=address,
        locale=_locale(text(activity, "locale")),
        personal=conversation_type == "personal" or (not conversation_type and not group),
        conversation_type=conversation_type,
        expects_replies=identifier(activity, "deliveryMode") == "expectReplies",
        time_zone=_time_zone(activity),
    )


def _address(activity: Json, conversation: Json) -> Address:
    said = identifier(obj(obj(activity, "channelData"), "tenant"), "id").lower()
    also = identifier(conversation, "tenantId").lower()
    if said and also and said != also:
        raise Refused(403, "tenant_contradictory")
    return Address(
        service_url=required(activity, "serviceUrl"),
        conversation_id=required(conversation, "id", "conversation_id"),
        tenant_id=said or also,
        user_id=required(obj(activity, "from"), "id", "from_id"),
        bot_id=required(obj(activity, "recipient"), "id", "recipient_id"),
        channel_id=required(activity, "channelId"),
    )


def _sender(account: Json) -> Sender:
    return Sender(
        channel_id=identifier(account, "id"),
        object_id=identifier(account, "aadObjectId"),
        name=text(account, "name")[:MAX_NAME],
    )


def _locale(said: str) -> str:
    return said if _LOCALE.fullmatch(said) else ""


def _time_zone(activity: Json) -> str:
    """The client's time zone (Bot Framework: ``localTimezone``; Teams: the entity ``clientInfo``), if it is one."""
    clients = [entity for entity in objects(activity, "entities") if entity.get("type") == "clientInfo"]
    said = [text(activity, "localTimezone"), *(text(client, "timezone") for client in clients)]
    return next((zone for zone in said if zone in _ZONES), "")


def _what(kind: str, activity: Json, bot_id: str) -> What | None:
    match kind:
        case "message":
            return _message(activity, bot_id)
        case "invoke":
            return _invoke(activity)
        case "installationUpdate":
            return _installation(identifier(activity, "action"))
        case "conversationUpdate":
            return _membership(activity, bot_id)
        case _ if kind in _UNUSED:
            return None
    raise Refused(400, "activity_type_unknown")


def _message(activity: Json, bot_id: str) -> Message | Action:
    said = _said(activity, bot_id)
    if not obj(activity, "value"):
        return Message(said)
    submitted = read_submit(obj(activity, "value"), identifier(activity, "replyToId"))
    if submitted is None and not said:
        raise Refused(400, "field_verb")
    return submitted or Message(said)


def _invoke(activity: Json) -> Action:
    if required(activity, "name") != "adaptiveCard/action":
        raise Refused(501, "invoke_unknown")
    try:
        return read_execute(obj(activity, "value"), identifier(activity, "replyToId"))
    except Refused as refusal:
        raise Refused(400, refusal.reason, invoke_error(400, "BadRequest", "The action is malformed.")) from None


def invoke_error(status: int, code: str, message: str) -> dict[str, object]:
    """The body of an invoke response that failed (Teams: Universal Actions, "Response format")."""
    return {
        "statusCode": status,
        "type": "application/vnd.microsoft.error",
        "value": {"code": code, "message": message},
    }


def _installation(action: str) -> Installed | Removed | None:
    """An upgrade (``add-upgrade``) is no installation: the bot was there before."""
    match action:
        case "add":
            return Installed()
        case "remove":
            return Removed()
    return None


def _membership(activity: Json, bot_id: str) -> Installed | Removed | None:
    if any(member.get("id") == bot_id for member in objects(activity, "membersAdded", 1_000)):
        return Installed()
    if any(member.get("id") == bot_id for member in objects(activity, "membersRemoved", 1_000)):
        return Removed()
    return None


def _said(activity: Json, bot_id: str) -> str:
    said = text(activity, "text")
    for entity in objects(activity, "entities"):
        if entity.get("type") == "mention" and obj(entity, "mentioned").get("id") == bot_id:
            mention = text(entity, "text")
            said = said.replace(mention, " ") if mention else said
    return " ".join(said[: 4 * MAX_TEXT].replace("&nbsp;", " ").split())[:MAX_TEXT]
