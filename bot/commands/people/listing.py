"""``people``: everyone in pages, by filter and by words; and a person's card."""

from bot.activity import Message
from bot.cards.people import listing as cards
from bot.cards.people import person as person_cards
from bot.cards.people.listing import Search
from bot.chat.context import Command, TurnContext
from bot.chat.router import normalised, words_of
from bot.commands.choice import choose
from bot.commands.naming import named_in, names_of
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
WHO_IS_ON_THE_PHONE = ("who is on the phone", "who's on the phone", "quem está ao telefone", "quem está em chamada")
ON_THE_PHONE = frozenset(normalised(words) for words in WHO_IS_ON_THE_PHONE)
LEFT_OUT = frozenset(normalised(words) for words in WHO_IS_LEFT_OUT)


async def open_people(context: TurnContext) -> None:
    """The list, or those whom the words name: who is left out, a filter by its name, or a person."""
    event = context.event
    said = f" {normalised(event.text)} " if isinstance(event, Message) else ""
    if any(f" {words} " in said for words in LEFT_OUT):
        return await choose(context, "people.left_out", _show_left_out)
    typed = typed_after(context, COMMAND)
    is_on_the_phone = said.strip() in ON_THE_PHONE
    if wanted := PeopleFilter.ON_THE_PHONE.value if is_on_the_phone else _filter_called(context, typed):
        context.data = {"filter": wanted}
        return await choose(context, "people.show", _show, filter=wanted)
    if typed and not await _is_integration(context, typed):
        return await find(context, COMMAND, typed, "people.open", open_line)
    return await choose(context, "people.show", _show)


async def _is_integration(context: TurnContext, typed: str) -> bool:
    """Whether the words name nobody, but integrations: it is about their people."""
    if (await context.operations.roster.find(context.tenant, typed)).people:
        return False
    named = named_in(typed, await names_of(context), lambda rest: not words_of(rest))
    context.named = named.ids if named else context.named
    return named is not None


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


def _filter_called(context: TurnContext, typed: str) -> str:
    """The filter that is called so in any language; empty for none."""
    names = {
        normalised(texts(f"people.filter.{each}")): each.value
        for texts in context.services.languages.values()
        for each in PeopleFilter
    }
    return names.get(normalised(typed), "")


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
    aliases=("person", "pessoa", "who is shown", "quem aparece", *WHO_IS_LEFT_OUT, *WHO_IS_ON_THE_PHONE),
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
