"""The Agents SDK's activities, made from checked activities and from messages to send. Pure.

They are pydantic models: a field that was set to None goes over the wire as null, so what is absent is left out.
"""

from typing import Any

from microsoft_agents.activity import Activity, ActivityTypes, DeliveryModes

from bot.activity import Address, Card
from bot.hosting.activity_parser import ParsedActivity
from bot.hosting.turn import CARD_TYPE


def arrived(arrival: ParsedActivity) -> Activity:
    address = arrival.address
    return _activity(
        type=arrival.type,
        id=arrival.id,
        channelId=address.channel_id,
        serviceUrl=address.service_url,
        locale=arrival.locale,
        deliveryMode=DeliveryModes.expect_replies if arrival.expects_replies else None,
        conversation=_present(
            id=address.conversation_id, conversationType=arrival.conversation_type, tenantId=address.tenant_id
        ),
        **{"from": _present(id=address.user_id, name=arrival.sender.name, aadObjectId=arrival.sender.object_id)},
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


def with_card(card: Card, summary: str, activity_id: str = "") -> Activity:
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
