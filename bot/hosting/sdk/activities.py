"""botbuilder's activities, made from what was checked and from what is to be said. Pure."""

from botbuilder.schema import (
    Activity,
    ActivityTypes,
    Attachment,
    ChannelAccount,
    ConversationAccount,
    ConversationReference,
    DeliveryModes,
)

from bot.activity import Address, Card
from bot.hosting.activity_parser import ParsedActivity
from bot.hosting.turn import CARD_TYPE


def arrived(arrival: ParsedActivity) -> Activity:
    """The activity botbuilder processes: checked fields only, none of the pressed button's values."""
    return Activity(
        type=arrival.type,
        id=arrival.id or None,
        channel_id=arrival.address.channel_id,
        service_url=arrival.address.service_url,
        locale=arrival.locale or None,
        delivery_mode=DeliveryModes.expect_replies if arrival.expects_replies else None,
        conversation=ConversationAccount(
            id=arrival.address.conversation_id,
            conversation_type=arrival.conversation_type or None,
            tenant_id=arrival.address.tenant_id or None,
        ),
        from_property=ChannelAccount(
            id=arrival.sender.channel_id,
            name=arrival.sender.name or None,
            aad_object_id=arrival.sender.object_id or None,
        ),
        recipient=ChannelAccount(id=arrival.address.bot_id),
    )


def with_card(card: Card, summary: str, activity_id: str | None = None) -> Activity:
    """A message that shows ``card``; ``summary`` is what a notification shows."""
    return Activity(
        type=ActivityTypes.message,
        id=activity_id,
        summary=summary,
        attachments=[Attachment(content_type=CARD_TYPE, content=card)],
    )


def reference(address: Address) -> ConversationReference:
    return ConversationReference(
        service_url=address.service_url,
        channel_id=address.channel_id,
        conversation=ConversationAccount(id=address.conversation_id, tenant_id=address.tenant_id or None),
        user=ChannelAccount(id=address.user_id),
        bot=ChannelAccount(id=address.bot_id),
    )
