"""``import people``: exclusions and matches by hand from pasted lines or a sent file, previewed, then applied."""

import asyncio
from collections.abc import Awaitable, Iterator
from itertools import chain

from bot.activity import AttachedFile, Message
from bot.cards.people import importing as cards
from bot.chat.context import Command, TurnContext
from bot.chat.imports.csv_file import column_names, read_csv
from bot.commands.choice import choose
from bot.languages import load_texts
from sync.domain.model import IntegrationView
from sync.domain.people import NoImport
from sync.domain.roles import Role
from sync.people.imports.values import FileRefused, ImportView, Wish


async def open_import(context: TurnContext) -> None:
    """What was sent; else the preview that waits, or how to send something."""
    event = context.event
    if isinstance(event, Message) and event.file:
        return await _receive(context, event.file)
    waiting = await context.operations.imports.newest(context.tenant, context.actor)
    return await (_show(context, waiting) if waiting else choose(context, "import_people.show", _show_form))


async def show(context: TurnContext) -> None:
    """The form of the chosen integration, for which the next file is."""
    await _show_form(context, await context.integration())


async def _show_form(context: TurnContext, view: IntegrationView) -> None:
    await context.operations.imports.expect(context.tenant, view.id, context.actor)
    await context.show(cards.form(context.texts, view))


async def _receive(context: TurnContext, file: AttachedFile) -> None:
    """Import a file into the only integration, or the one that was chosen; of several, ask."""
    views = {view.id: view for view in await context.operations.integrations.list(context.tenant)}
    expected = await context.operations.imports.expected(context.tenant, context.actor)
    view = views.get(expected) or (next(iter(views.values())) if len(views) == 1 else None)
    if view is None:
        return await choose(context, "import_people.show", _show_form)
    await context.show(cards.reading(context.texts, view, file.name))
    return await _compare(context, view, context.services.files.read(context.tenant, file.url, _wishes), file.name)


async def paste(context: TurnContext) -> None:
    view = await context.integration()
    await _compare(context, view, asyncio.to_thread(_pasted, context.data.get("lines", "")))


async def _compare(
    context: TurnContext, view: IntegrationView, reading: Awaitable[list[Wish]], name: str = ""
) -> None:
    imports = context.operations.imports
    try:
        wishes = await reading
        compared = await imports.compare(context.tenant, view.id, context.actor, wishes, name)
        await context.show(cards.preview(context.texts, compared, context.data.get("lines", "")))
    except FileRefused as refused:
        await context.show(cards.form(context.texts, view, context.data.get("lines", ""), refused))
    except NoImport:
        await context.show(cards.gone(context.texts))


def _pasted(lines: str) -> list[Wish]:
    return [*chain.from_iterable(_wishes(lines.encode()))]


def _wishes(content: bytes) -> Iterator[list[Wish]]:
    return read_csv(content, column_names(load_texts()))


async def page(context: TurnContext) -> None:
    mark = {name: context.number(name) for name in ("after", "before")}
    await _of_import(
        context,
        context.operations.imports.show(context.tenant, context.actor, context.data.get("import", ""), **mark),
    )


async def apply(context: TurnContext) -> None:
    imports = context.operations.imports
    await _of_import(context, imports.apply(context.tenant, context.actor, context.data.get("import", "")))


async def _of_import(context: TurnContext, found: Awaitable[ImportView]) -> None:
    try:
        await _show(context, await found)
    except NoImport:
        await context.show(cards.gone(context.texts))


async def cancel(context: TurnContext) -> None:
    await context.operations.imports.cancel(context.tenant, context.actor)
    await context.show(cards.cancelled(context.texts))


async def _show(context: TurnContext, view: ImportView) -> None:
    await context.show(cards.preview(context.texts, view))


COMMAND = Command(
    key="import_people",
    titles={"en": "import people", "pt": "importar pessoas"},
    descriptions={
        "en": "Exclude or match people from a CSV file",
        "pt": "Ocultar ou associar pessoas a partir de um ficheiro CSV",
    },
    aliases=("import", "importar"),
    open=open_import,
    least=Role.ADMINISTRATOR,
    listed=False,
    actions={
        "import_people.show": show,
        "import_people.paste": paste,
        "import_people.page": page,
        "import_people.apply": apply,
        "import_people.cancel": cancel,
    },
)
