"""What an administrator does with one person: exclude, include, show again, clear, match by hand."""

import re
from collections.abc import Awaitable

from bot.cards.fields import MAX_ID
from bot.cards.people import person as cards
from bot.cards.validation import cleaned
from bot.chat.context import Command, TurnContext
from bot.commands.people.finding import find, typed_after
from bot.commands.people.listing import open_line, show_person
from sync.credentials.new_secrets import secrets_in
from sync.domain.people import ChangedMeanwhile, MatchRefusal, MatchRefused
from sync.domain.roles import Role

PRINCIPAL_NAME = re.compile(r"\A[^\s@/?]+@[^\s@/?#]+\.[^\s@/?#]+")
"""That of a guest holds ``#EXT#``."""


async def open_person(context: TurnContext) -> None:
    await find(context, COMMAND, typed_after(context, COMMAND), "people.open", open_line)


def _whom(context: TurnContext) -> tuple[str, str, str]:
    """Tenant, integration and person."""
    return context.tenant, context.data.get("integration", ""), context.data.get("person", "")


async def _do(context: TurnContext, name: str, act: Awaitable[None]) -> None:
    """Run the act and show the person with what was done, or with who changed them first."""
    _, integration_id, person_id = _whom(context)
    try:
        await act
    except ChangedMeanwhile as changed:
        await show_person(context, integration_id, person_id, meanwhile=changed.by)
    else:
        await show_person(context, integration_id, person_id, name)


async def exclude(context: TurnContext) -> None:
    people = context.operations.people
    await _do(context, "exclude", people.exclude(*_whom(context), context.number("choices"), context.actor))


async def include(context: TurnContext) -> None:
    people = context.operations.people
    await _do(context, "include", people.include(*_whom(context), context.number("choices"), context.actor))


async def resend(context: TurnContext) -> None:
    await _do(context, "resend", context.operations.people.resend(*_whom(context), context.actor))


async def clear(context: TurnContext) -> None:
    await _do(context, "clear", context.operations.people.clear(*_whom(context), context.actor))


async def unmatch(context: TurnContext) -> None:
    people = context.operations.people
    await _do(context, "unmatch", people.unmatch(*_whom(context), context.number("choices"), context.actor))


async def match(context: TurnContext) -> None:
    person = await context.operations.roster.card(*_whom(context))
    await context.show(cards.match_form(context.texts, person.line))


async def save_match(context: TurnContext) -> None:
    typed = cleaned(context.data.get("principal_name", ""))[:MAX_ID]
    people, choices = context.operations.people, context.number("choices")
    try:
        if secrets_in(typed) or not PRINCIPAL_NAME.fullmatch(typed):
            raise MatchRefused(MatchRefusal.NOT_FOUND)
        await _do(context, "match", people.match(*_whom(context), choices, typed, context.actor))
    except MatchRefused as refused:
        person = await context.operations.roster.card(*_whom(context))
        await context.show(cards.match_form(context.texts, person.line, typed, refused))


COMMAND = Command(
    key="person",
    titles={"en": "exclude", "pt": "ocultar"},
    descriptions={
        "en": "Exclude a person, include them, or match them by hand",
        "pt": "Ocultar ou voltar a mostrar uma pessoa, ou associá-la manualmente",
    },
    aliases=("include", "match", "excluir", "incluir", "voltar a mostrar", "associar"),
    open=open_person,
    least=Role.ADMINISTRATOR,
    listed=False,
    takes_words=True,
    actions={
        "person.exclude": exclude,
        "person.include": include,
        "person.resend": resend,
        "person.clear": clear,
        "person.match": match,
        "person.save_match": save_match,
        "person.unmatch": unmatch,
    },
)
