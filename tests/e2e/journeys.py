"""What an administrator reads and presses on the way, in each language; and the way itself."""

from dataclasses import dataclass

from tests.e2e.playground import Playground
from tests.sandboxes import SandboxHandle

NAME = "Escritório do Porto"


@dataclass(frozen=True, slots=True)
class Words:
    """The titles and buttons of the main job, as that language has them."""

    locale: str
    welcome: str
    setup_command: str
    steps: tuple[str, str, str]
    check: str
    next: str
    save: str
    back: str
    cancel: str
    people_found: str
    preview: str
    enable: str
    enabled: str
    disable_command: str
    disable: str
    disabled: str
    status_command: str
    status: str
    test_command: str
    test_passed: str
    remove_command: str
    remove: str
    removed: str
    resume: str
    go_on: str
    secret_is_id: str
    secret_wrong: str


ENGLISH = Words(
    locale="en-US",
    welcome="Welcome to CloudLink Presence",
    setup_command="setup integration",
    steps=("Step 1 of 4", "Step 2 of 4", "Step 3 of 4"),
    check="Check and continue",
    next="Done, continue",
    save="Save",
    back="Back",
    cancel="Cancel",
    people_found="Found 25 people",
    preview="Check and enable",
    enable="Enable presence sync",
    enabled="Presence sync is enabled",
    disable_command="disable presence",
    disable="Disable presence sync",
    disabled="Presence sync is disabled",
    status_command="status",
    status="Presence sync is running",
    test_command="test connection",
    test_passed="Everything works.",
    remove_command="remove integration",
    remove="Remove",
    removed="The integration is removed",
    resume="A setup is under way",
    go_on="Continue where you left off",
    secret_is_id="This is the secret's ID, not its Value.",
    secret_wrong="This client secret is not right.",
)

PORTUGUESE = Words(
    locale="pt-PT",
    welcome="Bem-vindo ao CloudLink Presence",
    setup_command="configurar integração",
    steps=("Passo 1 de 4", "Passo 2 de 4", "Passo 3 de 4"),
    check="Verificar e continuar",
    next="Concluído, continuar",
    save="Guardar",
    back="Voltar",
    cancel="Cancelar",
    people_found="Foram encontradas 25 pessoas",
    preview="Verificar e ativar",
    enable="Ativar sincronização",
    enabled="A sincronização de presença está ativa",
    disable_command="desativar presença",
    disable="Desativar sincronização",
    disabled="A sincronização de presença está desativada",
    status_command="estado",
    status="A sincronização de presença está a funcionar",
    test_command="testar ligação",
    test_passed="Tudo funciona.",
    remove_command="remover integração",
    remove="Remover",
    removed="A integração foi removida",
    resume="Está uma configuração em curso",
    go_on="Continuar de onde ficou",
    secret_is_id="Este é o ID do segredo, e não o Valor.",
    secret_wrong="Este segredo do cliente não está correto.",
)


@dataclass(frozen=True, slots=True)
class Values:
    """What the administrator has at hand to paste, field by field of the wizard."""

    cloudlink: dict[str, str]
    teams: dict[str, str]


async def values_at_hand(sandbox: SandboxHandle) -> Values:
    """The values on the switchboard, with a client secret made for the purpose."""
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


async def meet(chat: Playground, words: Words) -> None:
    await chat.install()
    await chat.card_with(words.welcome)


async def through_cloudlink(chat: Playground, words: Words, values: Values) -> None:
    """Steps 1 and 2: up to the card that asks for the application's values."""
    await chat.say(words.setup_command)
    await chat.card_with(words.steps[0])
    await chat.press(words.check, **values.cloudlink)
    await chat.card_with(words.steps[1], words.people_found)
    await chat.press(words.next)
    await chat.card_with(words.steps[2])


async def save(chat: Playground, words: Words, values: Values) -> None:
    await chat.press(words.save, **values.teams)
    await chat.card_with(words.preview, words.enable)


async def enable(chat: Playground, words: Words) -> None:
    await chat.press(words.enable)
    await chat.card_with(words.enabled)


async def connect(chat: Playground, sandbox: SandboxHandle, words: Words) -> Values:
    """The whole way from nothing to an enabled integration, with nothing typed wrong."""
    values = await values_at_hand(sandbox)
    await meet(chat, words)
    await through_cloudlink(chat, words, values)
    await save(chat, words, values)
    await enable(chat, words)
    return values
