"""The main job as an administrator does it, in each language: what they type, read and press, step by step."""

from dataclasses import dataclass

from bot.languages import Language, Texts, load_texts
from tests.e2e.playground import Playground
from tests.support.services.sandboxes import Switchboard

NAME = "Escritório do Porto"
STEPS = 3


@dataclass(frozen=True, slots=True)
class Wording:
    """A language: what is typed, letter by letter; what is read and pressed, by key of its catalogue."""

    locale: str
    texts: Texts
    setup: str
    disable: str
    status: str
    test: str
    remove: str
    rotate: str
    monitors: str
    integrations: str
    edit: str
    history: str
    export: str
    update: str

    def __call__(self, key: str, **values: str) -> str:
        return self.texts(key, **values)

    def step(self, number: int) -> str:
        return self.texts("setup.step", step=number, total=STEPS)


_TEXTS = load_texts()
ENGLISH = Wording(
    "en-US",
    _TEXTS[Language.ENGLISH],
    setup="setup integration",
    disable="disable presence",
    status="status",
    test="test connection",
    remove="remove integration",
    rotate="rotate secret",
    monitors="monitors",
    integrations="integrations",
    edit="edit integration",
    history="history",
    export="export history",
    update="install update",
)
PORTUGUESE = Wording(
    "pt-PT",
    _TEXTS[Language.PORTUGUESE],
    setup="configurar integração",
    disable="desativar presença",
    status="estado",
    test="testar ligação",
    remove="remover integração",
    rotate="substituir segredo",
    monitors="monitores",
    integrations="integrações",
    edit="editar integração",
    history="histórico",
    export="exportar histórico",
    update="instalar atualização",
)
WORDINGS = (ENGLISH, PORTUGUESE)


@dataclass(frozen=True, slots=True)
class Values:
    """The values the administrator pastes, by field of the wizard."""

    cloudlink: dict[str, str]
    teams: dict[str, str]


async def setup_values(sandbox: Switchboard) -> Values:
    """The values on the switchboard, with a new client secret."""
    state, secret = await sandbox.state(), await sandbox.new_secret()
    account, registration = state["cloudlink"], state["registration"]
    cloudlink = {
        "account_id": account["accountId"],
        "cloudlink_client_id": account["clientId"],
        "cloudlink_secret": account["clientSecret"],
    }
    teams = {
        "name": NAME,
        "tenant_id": registration["tenantId"],
        "client_id": registration["clientId"],
        "client_secret": secret["value"],
        "expires_on": secret["endDateTime"][:10],
    }
    return Values(cloudlink, teams)


async def install_bot(chat: Playground, wording: Wording) -> None:
    await chat.install()
    await chat.card_with(wording("welcome.title"))


async def complete_cloudlink_steps(chat: Playground, wording: Wording, values: Values) -> None:
    """Up to the card that asks for the application's values."""
    await chat.say(wording.setup)
    await chat.card_with(wording.step(1))
    await chat.press(wording("button.check"), **values.cloudlink)
    await chat.card_with(wording.step(2), wording.texts.plural("setup.found", 28, account="Vale Verde"))


async def save(chat: Playground, wording: Wording, values: Values) -> None:
    await chat.press(wording("button.save_and_check"), **values.teams)
    await chat.card_with(wording("preview.title"), wording("button.enable"))


async def enable(chat: Playground, wording: Wording) -> None:
    await chat.press(wording("button.enable"))
    await chat.card_with(wording("enabled.title"))


async def connect(chat: Playground, sandbox: Switchboard, wording: Wording, expires_on: str = "") -> Values:
    """From nothing to an enabled integration, without a typing error.

    ``expires_on`` is typed as the secret's last day instead of its own.
    """
    await install_bot(chat, wording)
    return await set_up(chat, sandbox, wording, expires_on)


async def set_up(chat: Playground, sandbox: Switchboard, wording: Wording, expires_on: str = "") -> Values:
    """As ``connect``, for a person who has been welcomed already."""
    values = await setup_values(sandbox)
    if expires_on:
        values.teams["expires_on"] = expires_on
    await complete_cloudlink_steps(chat, wording, values)
    await save(chat, wording, values)
    await enable(chat, wording)
    return values
