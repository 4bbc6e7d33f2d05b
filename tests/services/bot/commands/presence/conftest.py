import pytest

from storage.encryption import Encryption
from sync.domain.presence import Presence
from tests.support.bot.chat import KEY, Chat
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import TENANT
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import integration, person, stored, with_secrets


@pytest.fixture
async def talking(chat: Chat) -> Chat:
    """A chat whose tenant has one integration, in which Sofia is on a call."""
    encryption = Encryption([KEY])
    clients = FakeServiceClients()
    clients.cloudlink.connect("ext Sofia")
    chat.operations = real_operations(context_of(chat.database, clients, clock=chat.clock), encryption)
    chat.restart()
    secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
    row = with_secrets(integration(owner_tenant=TENANT, tenant_id=TENANT), encryption, **secrets)
    said = {"line": "on_call", "desired": Presence.IN_A_CALL, "desired_at": chat.now, "heard_at": chat.now}
    await stored(chat.database, row, person("Sofia", **said))
    return chat
