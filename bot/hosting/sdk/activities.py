"""Builds botbuilder activities from checked activities and from cards. Pure."""

from typing import Any, Self

from botbuilder.core import InvokeResponse
from botbuilder.schema import (
    Activity,
    ActivityTypes,
    Attachment,
    ChannelAccount,
    ConversationAccount,
    ConversationReference,
    DeliveryModes,
)
from msrest.serialization import Model

from bot.activity import Address, Card
from bot.hosting.activity_parser import ParsedActivity
from bot.hosting.turn import CARD_TYPE


class _Shared:
    """Sent as it is: botbuilder copies an activity deeply before it sends it, which takes as long as the rest."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self


class SentCard(_Shared, Model):
    """A card as msrest sends it without a look at each of its parts: properties that no model describes."""

    _attribute_map = {"additional_properties": {"key": "", "type": "{object}"}}  # noqa: RUF012 as msrest's own


class SentAnswer(_Shared, InvokeResponse):  # type: ignore[misc]
    """The response to an invoke."""


def incoming_activity(parsed: ParsedActivity) -> Activity:
    """The activity for botbuilder: checked fields only, without the pressed button's values."""
    return Activity(
        type=parsed.type,
        id=parsed.id or None,
        channel_id=parsed.address.channel_id,
        service_url=parsed.address.service_url,
        locale=parsed.locale or None,
        delivery_mode=DeliveryModes.expect_replies if parsed.expects_replies else None,
        conversation=ConversationAccount(
            id=parsed.address.conversation_id,
            conversation_type=parsed.conversation_type or None,
            tenant_id=parsed.address.tenant_id or None,
        ),
        from_property=ChannelAccount(
            id=parsed.sender.channel_id,
            name=parsed.sender.name or None,
            aad_object_id=parsed.sender.object_id or None,
        ),
        recipient=ChannelAccount(id=parsed.address.bot_id),
    )


def card_message(card: Card, summary: str, activity_id: str | None = None) -> Activity:
    """A message that shows ``card``; ``summary`` is the notification's text."""
    content = SentCard(additional_properties=card)  # type: ignore[no-untyped-call]
    return Activity(
        type=ActivityTypes.message,
        id=activity_id,
        summary=summary,
        attachments=[Attachment(content_type=CARD_TYPE, content=content)],
    )


def conversation_reference(address: Address) -> ConversationReference:
    return ConversationReference(
        service_url=address.service_url,
        channel_id=address.channel_id,
        conversation=ConversationAccount(id=address.conversation_id, tenant_id=address.tenant_id or None),
        user=ChannelAccount(id=address.user_id),
        bot=ChannelAccount(id=address.bot_id),
    )
