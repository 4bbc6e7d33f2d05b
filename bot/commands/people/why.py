"""``why``: from the phone to Teams, step by step, and the one reason where they differ."""

from bot.cards.people import why as cards
from bot.chat.context import Command, TurnContext
from bot.commands.people.finding import find, typed_after
from sync.domain.people import PersonLine
from sync.domain.roles import Role


async def open_why(context: TurnContext) -> None:
    await find(context, COMMAND, typed_after(context, COMMAND), "why.show", _explain)


async def _explain(context: TurnContext, line: PersonLine) -> None:
    await explain(context, line.integration_id, line.id)


async def show(context: TurnContext) -> None:
    await explain(context, context.data.get("integration", ""), context.data.get("person", ""))


async def explain(context: TurnContext, integration_id: str, person_id: str) -> None:
    """The phone is asked first: what it says now may differ from what we heard.

    Not that of a person whom an administrator cleared: its answer would be shown in Teams, a question undo the act.
    """
    ids = context.tenant, integration_id, person_id
    is_cleared = await context.operations.roster.is_cleared(*ids)
    answered = None if is_cleared else await context.operations.phones.ask(*ids)
    found = await context.operations.roster.explain(*ids, phone_answered=answered)
    await context.show(cards.why_card(context.texts, found, context.now, await context.zone()))


async def copy(context: TurnContext) -> None:
    ids = context.data.get("integration", ""), context.data.get("person", "")
    found = await context.operations.roster.explain(context.tenant, *ids)
    person = await context.operations.roster.card(context.tenant, *ids)
    await context.show(cards.copied(context.texts, cards.support_lines(person, found), person.line))


COMMAND = Command(
    key="why",
    titles={"en": "why", "pt": "porquê"},
    descriptions={
        "en": "Why Teams shows what it shows for a person",
        "pt": "Porque é que o Teams mostra o que mostra de uma pessoa",
    },
    aliases=("explain", "porque", "explicar"),
    open=open_why,
    least=Role.VIEWER,
    listed=False,
    takes_words=True,
    actions={"why.show": show, "why.copy": copy},
)
