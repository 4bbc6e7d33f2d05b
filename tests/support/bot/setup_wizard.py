"""The setup wizard, taken to one of its steps."""

from bot.activity import Card
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import TENANT

CLOUDLINK_SECRET = "cl-s3cret-ÄÖÜ-9f8e7d"
CLIENT_SECRET = "Xy8Q~teams-s3cret-1a2b3c"
CLIENT = "44444444-0000-4000-8000-000000000004"
OTHER_CLIENT = "55555555-0000-4000-8000-000000000005"
ACCOUNT = {"account_id": "1000200030", "cloudlink_client_id": "reader", "cloudlink_secret": CLOUDLINK_SECRET}
APP = {
    "name": "Head office",
    "tenant_id": TENANT,
    "client_id": CLIENT,
    "client_secret": CLIENT_SECRET,
    "expires_on": "2027-05-31",
}


async def at_microsoft(chat: Chat) -> Card:
    return await chat.press(await chat.say("setup integration"), "setup.cloudlink", ACCOUNT)


async def at_preview(chat: Chat) -> Card:
    return await chat.press(await at_microsoft(chat), "setup.save", APP)
