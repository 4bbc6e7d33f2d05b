"""Which integrations typed words name, beside the command: by a name, or a part of one, anywhere among the words.

Only the integrations of the person's own tenant are known. A name counts where the other words are a command; of
several integrations those that are named best: by their full name, then by whole words, then by their beginnings or
in spite of a slip of the keys.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.activity import Message
from bot.chat.context import Proceed, TurnContext
from bot.chat.router import SAME, Router, alike, normalised
from bot.chat.vocabulary import FILLERS

OF_AN_INTEGRATION = frozenset(
    (
        *("enable", "disable", "status", "mapping", "schedule", "messages", "report", "scope", "drill", "update"),
        *("test", "remove", "edit", "rotate", "auto_rotate", "certificate", "monitors"),
        *("export_people", "import_people"),
    )
)
"""The commands that are about one integration."""

WORD = re.compile(r"\w+")
MOST = 12
"""In a longer sentence no name is looked for."""

WHOLE, NEAR = 2, 1
BEGINNING = 3
"""So many letters of a word are a part of a name."""

Meant = Callable[[str], bool]
"""Whether the words beside a name make sense."""

Names = Mapping[str, Sequence[str]]
"""The words of each integration's name, by its id."""


@dataclass(frozen=True, slots=True)
class Named:
    """The integrations that are named, and the words beside the name."""

    ids: frozenset[str]
    rest: str


class IntegrationsNamed:
    """Finds the integrations that a typed command names; the commands see the words without the name."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        event = context.event
        if isinstance(event, Message) and not event.file and not self._router.is_said(event.text):
            found = named_in(event.text, await names_of(context), *ways_to_mean(self._router))
            if found:
                context.named = found.ids
                context.said = replace(event, text=found.rest or self._router.named("integrations").titles["en"])
        await proceed()


def ways_to_mean(router: Router) -> tuple[Meant, ...]:
    """What may be beside a name: a command's own words, nothing (it opens the integration), or a likely command."""
    return (
        lambda rest: router.is_said(rest) and router.command(rest) is not None,
        lambda rest: not rest,
        lambda rest: router.command(rest) is not None,
    )


async def names_of(context: TurnContext) -> Names:
    views = await context.operations.integrations.list(context.tenant)
    return {view.id: WORD.findall(normalised(view.name)) for view in views}


def named_in(said: str, names: Names, *meant: Meant) -> Named | None:
    """The longest part of the words that names integrations and leaves what is ``meant``, in the order of these."""
    words = WORD.findall(normalised(said))
    matches = [{key: _match(word, name) for key, name in names.items()} for word in words[:MOST]]
    found = [
        Named(ids, " ".join([*words[:start], *words[end:]]))
        for start, end in (_parts(len(words)) if len(words) <= MOST else ())
        if (ids := _best(words[start:end], matches[start:end], names))
    ]
    return next((each for is_meant in meant for each in found if is_meant(each.rest)), None)


def _parts(length: int) -> Iterator[tuple[int, int]]:
    """Where the parts of so many words begin and end, the longest first."""
    for size in range(length, 0, -1):
        yield from ((start, start + size) for start in range(length - size + 1))


def _match(word: str, name: Sequence[str]) -> int:
    """How well a word names a word of the name; 0 if it does not."""
    if word in name:
        return WHOLE
    is_part = len(word) >= BEGINNING and any(each.startswith(word) for each in name)
    return NEAR if is_part or any(alike(word, each) >= SAME for each in name) else 0


def _best(words: Sequence[str], matches: Sequence[Mapping[str, int]], names: Names) -> frozenset[str]:
    """The integrations that these words name best; words that say nothing may be between those of a name."""
    found: dict[str, tuple[bool, int]] = {}
    for key, name in names.items():
        of_name = [each[key] for each in matches]
        is_full = list(words) == list(name)
        is_part = all(match or word in FILLERS for word, match in zip(words, of_name, strict=True))
        if words and is_part and of_name[0] and of_name[-1] and not FILLERS.issuperset(words):
            found[key] = is_full, sum(of_name)
    return frozenset(key for key, rank in found.items() if rank == max(found.values()))
