"""Parses an activity's JSON. Pure: JSON in, ``ParsedActivity`` out or ``Refused``.

Only checked fields are passed on: botbuilder's ``Activity`` is built from them, never deserialised from the
wire (a field of the wrong type makes its deserialiser raise). Source of the shapes: Bot Framework reference,
"Activity"; Teams, "Conversation events" and "Universal Actions for Adaptive Cards".
"""

import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from bot.activity import Action, Address, AttachedFile, Event, Incoming, Installed, Message, Removed, Sender
from bot.hosting.json_fields import Json, flag, identifier, obj, objects, required, text
from bot.hosting.refusals import Refused

MAX_TEXT = 4_000
MAX_NAME = 200
MAX_INPUTS = 50
MAX_INPUT_NAME = 64
MAX_INPUT_VALUE = 4_000
MAX_URL = 4_000
FILE = "application/vnd.microsoft.teams.file.download.info"
"""The type of an attachment that is a file (Teams: "Send and receive files using bot")."""

_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_MENTION = r"<at\b[^<>]{{0,100}}>\s*{0}\s*</at>|(?<!\w)@{0}(?!\.?\w)"
"""Of a name: the element that Teams makes of a mention, or what people type for it."""

_UNUSED = frozenset(
    {"typing", "messageReaction", "event", "endOfConversation", "messageUpdate", "messageDelete"},
)

_ZONES = available_timezones()


@dataclass(frozen=True, slots=True)
class ParsedActivity:
    """An activity with all its used fields checked. ``event`` is None for an activity the bot ignores."""

    type: str
    id: str
    event: Event | None
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

    def incoming(self, event: Event) -> Incoming:
        return Incoming(
            event, self.sender, self.address, self.address.tenant_id, self.locale, self.personal, self.time_zone
        )


def parse_activity(activity: Json) -> ParsedActivity:
    """Raises ``Refused``: 400 for a missing or wrong field or an unknown type, 501 for an unknown invoke.

    403 when the activity names two different tenants.
    """
    kind = required(activity, "type")
    conversation = obj(activity, "conversation")
    conversation_type = identifier(conversation, "conversationType")
    group = flag(conversation, "isGroup")
    address = _address(activity, conversation)
    return ParsedActivity(
        type=kind,
        id=identifier(activity, "id"),
        event=_event(kind, activity, address.bot_id),
        sender=_sender(obj(activity, "from")),
        address=address,
        locale=_locale(text(activity, "locale")),
        personal=conversation_type == "personal" or (not conversation_type and not group),
        conversation_type=conversation_type,
        expects_replies=identifier(activity, "deliveryMode") == "expectReplies",
        time_zone=_time_zone(activity),
    )


def _address(activity: Json, conversation: Json) -> Address:
    channel_tenant = identifier(obj(obj(activity, "channelData"), "tenant"), "id").lower()
    conversation_tenant = identifier(conversation, "tenantId").lower()
    if channel_tenant and conversation_tenant and channel_tenant != conversation_tenant:
        raise Refused(403, "tenant_contradictory")
    return Address(
        service_url=required(activity, "serviceUrl"),
        conversation_id=required(conversation, "id", "conversation_id"),
        tenant_id=channel_tenant or conversation_tenant,
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


def _locale(locale: str) -> str:
    return locale if _LOCALE.fullmatch(locale) else ""


def _time_zone(activity: Json) -> str:
    """The client's time zone (Bot Framework: ``localTimezone``; Teams: the entity ``clientInfo``).

    Empty when there is none or it is unknown.
    """
    clients = [entity for entity in objects(activity, "entities") if entity.get("type") == "clientInfo"]
    candidates = [text(activity, "localTimezone"), *(text(client, "timezone") for client in clients)]
    return next((zone for zone in candidates if zone in _ZONES), "")


def _event(kind: str, activity: Json, bot_id: str) -> Event | None:
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
    words = _text_without_mention(activity, bot_id)
    if not obj(activity, "value"):
        return Message(words, _file(activity))
    submitted = _submit(obj(activity, "value"), identifier(activity, "replyToId"))
    if submitted is None and not words:
        raise Refused(400, "field_verb")
    return submitted or Message(words)


def _file(activity: Json) -> AttachedFile | None:
    """The first file sent with a message."""
    for attachment in objects(activity, "attachments"):
        if text(attachment, "contentType") == FILE:
            url = text(obj(attachment, "content"), "downloadUrl")
            if not url or len(url) > MAX_URL:
                raise Refused(400, "field_downloadUrl")
            return AttachedFile(" ".join(text(attachment, "name").split())[:MAX_NAME], url)
    return None


def _invoke(activity: Json) -> Action:
    if required(activity, "name") != "adaptiveCard/action":
        raise Refused(501, "invoke_unknown")
    try:
        return _execute(obj(activity, "value"), identifier(activity, "replyToId"))
    except Refused as refusal:
        raise Refused(400, refusal.reason, invoke_error(400, "BadRequest", "The action is malformed.")) from None


def invoke_error(status: int, code: str, message: str) -> dict[str, object]:
    """The body of a failed invoke response (Teams: Universal Actions, "Response format")."""
    return {
        "statusCode": status,
        "type": "application/vnd.microsoft.error",
        "value": {"code": code, "message": message},
    }


def _installation(action: str) -> Installed | Removed | None:
    """An upgrade (``add-upgrade``) is not an installation: the bot was already there."""
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


def _text_without_mention(activity: Json, bot_id: str) -> str:
    """The bot's mention is removed wherever it is, as the activity's entity names it or as the bot is called."""
    words = text(activity, "text")[: 4 * MAX_TEXT]
    names = {text(obj(activity, "recipient"), "name")}
    for entity in objects(activity, "entities"):
        mentioned = obj(entity, "mentioned")
        if entity.get("type") == "mention" and mentioned.get("id") == bot_id:
            words = words.replace(text(entity, "text") or " ", " ")
            names.add(text(mentioned, "name"))
    for name in names - {""}:
        words = re.sub(_MENTION.format(re.escape(name[:MAX_NAME])), " ", words, flags=re.IGNORECASE)
    return " ".join(words.replace("&nbsp;", " ").split())[:MAX_TEXT]


def _execute(value: Json, card_id: str) -> Action:
    """An ``Action.Execute``: ``{"action": {"verb": .., "data": {..}}, "trigger": "manual" or "automatic"}``.

    Raises ``Refused`` (400).
    """
    action = obj(value, "action")
    automatic = text(value, "trigger") == "automatic"
    return Action(required(action, "verb"), _inputs(obj(action, "data")), card_id, automatic)


def _submit(value: Json, card_id: str) -> Action | None:
    """An ``Action.Submit`` with its verb among the data; None when it names none. Raises ``Refused`` (400)."""
    if value.get("verb") is None:
        return None
    data = {key: item for key, item in value.items() if key not in ("verb", "msteams")}
    return Action(required(value, "verb"), _inputs(data), card_id)


def _inputs(data: Json) -> dict[str, str]:
    if len(data) > MAX_INPUTS or any(len(key) > MAX_INPUT_NAME or "\0" in key for key in data):
        raise Refused(400, "inputs_too_many")
    return {key: _input(value) for key, value in data.items() if value is not None}


def _input(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise Refused(400, "input_type")
    typed = str(value)
    if "\0" in typed:
        raise Refused(400, "input_null")
    if len(typed) > MAX_INPUT_VALUE:
        raise Refused(400, "input_too_long")
    return typed
