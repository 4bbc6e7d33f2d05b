"""``people``: everyone in pages, by filter and by words; and a person's card."""

from bot.activity import Message
from bot.cards.people import listing as cards
from bot.cards.people import person as person_cards
from bot.cards.people.listing import Search
from bot.chat.context import Command, TurnContext
from bot.chat.router import normalised
from bot.commands.choice import choose
from bot.commands.people.finding import find, typed_after
from core.text import searchable
from storage.queries.people.directory_people import PeopleQuery
from sync.domain.model import IntegrationView
from sync.domain.people import PeopleFilter, PersonLine
from sync.domain.presence import TALKING
from sync.domain.roles import Role

WHO_IS_LEFT_OUT = (
    *("unmatched", "left out", "who is left out", "who is not synced", "who is not synchronized", "not synced"),
    *(
        "quem fica de fora",
        "de fora",
        "quem não está sincronizado",
        "quem não é sincronizado",
        "não sincronizados",
        "sem correspondência",
    ),
)
LEFT_OUT = frozenset(normalised(words) for words in WHO_IS_LEFT_OUT)


async def open_people(context: TurnContext) -> None:
    """The list; those left out for words that ask for them; a person for words that name one."""
    event = context.turn.incoming.event
    if isinstance(event, Message) and normalised(event.text) in LEFT_OUT:
        return await choose(context, "people.left_out", _show_left_out)
    typed = typed_after(context, COMMAND)
    if typed:
        return await find(context, COMMAND, typed, "people.open", open_line)
    return await choose(context, "people.show", _show)


async def _show(context: TurnContext, view: IntegrationView) -> None:
    await show_list(context, Search(view, _filter(context)))


async def _show_left_out(context: TurnContext, view: IntegrationView) -> None:
    await show_list(context, Search(view, PeopleFilter.LEFT_OUT))


async def show_list(context: TurnContext, search: Search) -> None:
    query = PeopleQuery(
        filter=search.filter.value,
        words=tuple(searchable(search.words).split()),
        by=context.person,
        after=context.data.get("after", ""),
        before=context.data.get("before", ""),
        talking=TALKING,
    )
    page = await context.operations.roster.page(context.tenant, search.integration.id, query)
    await context.show(cards.listed(context.texts, search, page))


async def show(context: TurnContext) -> None:
    await _show(context, await context.integration())


async def left_out(context: TurnContext) -> None:
    await _show_left_out(context, await context.integration())


async def page(context: TurnContext) -> None:
    """Another page, or the first one of another search."""
    words = context.data.get("words", "")[: cards.MAX_WORDS]
    await show_list(context, Search(await context.integration(), _filter(context), words))


def _filter(context: TurnContext) -> PeopleFilter:
    wanted = context.data.get("filter", "")
    return PeopleFilter(wanted) if wanted in set(PeopleFilter) else PeopleFilter.EVERYONE


async def open_line(context: TurnContext, line: PersonLine) -> None:
    await show_person(context, line.integration_id, line.id)


async def open_one(context: TurnContext) -> None:
    await show_person(context, context.data.get("integration", ""), context.data.get("person", ""))


async def show_person(
    context: TurnContext, integration_id: str, person_id: str, done: str = "", meanwhile: str | None = None
) -> None:
    person = await context.operations.roster.card(context.tenant, integration_id, person_id)
    zone = await context.zone()
    await context.show(person_cards.person_card(context.texts, person, context.now, zone, done, meanwhile))


COMMAND = Command(
    key="people",
    titles={"en": "people", "pt": "pessoas"},
    descriptions={
        "en": "Who is shown in Teams, and who is left out",
        "pt": "Quem aparece no Teams, e quem fica de fora",
    },
    aliases=("person", "pessoa", "who is shown", "quem aparece", *WHO_IS_LEFT_OUT),
    open=open_people,
    least=Role.VIEWER,
    listed=False,
    takes_words=True,
    actions={
        "people.show": show,
        "people.left_out": left_out,
        "people.page": page,
        "people.search": page,
        "people.open": open_one,
    },
)
