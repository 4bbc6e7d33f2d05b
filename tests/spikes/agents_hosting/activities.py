"""The Agents SDK's activities, made from checked activities and from messages to send. Pure.

They are pydantic models: a field that was set to None goes over the wire as null, so what is absent is left out.
"""

from typing import Any

from microsoft_agents.activity import Activity, ActivityTypes, DeliveryModes

from bot.activity import Address, Card
from bot.hosting.activity_parser import ParsedActivity
from bot.hosting.turn import CARD_TYPE


def incoming_activity(parsed: ParsedActivity) -> Activity:
    address = parsed.address
    return _activity(
        type=parsed.type,
        id=parsed.id,
        channelId=address.channel_id,
        serviceUrl=address.service_url,
        locale=parsed.locale,
        deliveryMode=DeliveryModes.expect_replies if parsed.expects_replies else None,
        conversation=_present(
            id=address.conversation_id, conversationType=parsed.conversation_type, tenantId=address.tenant_id
        ),
        **{"from": _present(id=address.user_id, name=parsed.sender.name, aadObjectId=parsed.sender.object_id)},
        recipient={"id": address.bot_id},
    )


def continuation(address: Address) -> Activity:
    """What a turn of the bot's own starts from."""
    return _activity(
        type=ActivityTypes.event,
        channelId=address.channel_id,
        serviceUrl=address.service_url,
        conversation=_present(id=address.conversation_id, tenantId=address.tenant_id),
        **{"from": {"id": address.user_id}},
        recipient={"id": address.bot_id},
    )


def card_message(card: Card, summary: str, activity_id: str = "") -> Activity:
    return _activity(
        type=ActivityTypes.message,
        id=activity_id,
        summary=summary,
        attachments=[{"contentType": CARD_TYPE, "content": card}],
    )


def invoke_response(status: int, body: dict[str, Any]) -> Activity:
    return _activity(type=ActivityTypes.invoke_response, value={"status": status, "body": body})


def _activity(**fields: Any) -> Activity:
    return Activity.model_validate(_present(**fields))


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
