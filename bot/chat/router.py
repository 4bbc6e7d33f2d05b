"""Finds the command for typed words or a button; letter case, accents and extra blanks are ignored."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

from bot.activity import Action, Event, Message
from bot.chat.context import Command, CommandHandler

SUGGESTED = 3
MIN_SIMILARITY = 0.55
MAX_COMPARED = 60


def normalised(words: str) -> str:
    """Lower case, without accents, punctuation at the ends or repeated blanks."""
    letters = unicodedata.normalize("NFKD", words[:1000].casefold())
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"\s+", " ", bare).strip(" \t.!,;:¡¿?") or bare.strip()


class Router:
    """The commands by what is typed for them, and the handlers by verb."""

    def __init__(self, commands: Sequence[Command]) -> None:
        """Raises ``ValueError`` when two commands have the same title or alias."""
        self._commands = {command.key: command for command in commands}
        self._names: dict[str, Command] = {}
        for command in commands:
            for name in {normalised(name) for name in (*command.titles.values(), *command.aliases)}:
                if self._names.setdefault(name, command) is not command:
                    raise ValueError(f"two commands are called {name!r}")
        self._handlers = {f"command.{command.key}": command.open for command in commands}
        for command in commands:
            self._handlers.update(command.actions)

    def command(self, words: str) -> Command | None:
        """The command with this title or alias in any language, or one whose argument follows its title."""
        typed = normalised(words)
        first = self._names.get(typed.partition(" ")[0])
        return self._names.get(typed) or (first if first and first.takes_words else None)

    def command_of(self, event: Event) -> Command | None:
        """The command of a typed message; None for any other event."""
        return self.command(event.text) if isinstance(event, Message) else None

    def verb_of(self, event: Event) -> str:
        """The verb of a button that would repeat this event; empty when there is none."""
        if isinstance(event, Action):
            return event.verb
        command = self.command_of(event)
        return f"command.{command.key}" if command else ""

    def handler(self, verb: str) -> CommandHandler | None:
        return self._handlers.get(verb)

    def __getitem__(self, verb: str) -> CommandHandler:
        """The handler of a verb that is known to exist."""
        return self._handlers[verb]

    def nearest(self, words: str) -> list[Command]:
        """The few commands whose names are most similar to the words, best first; none without similarity."""
        typed = normalised(words)[:MAX_COMPARED]
        similarity: dict[str, float] = {}
        for name, command in self._names.items():
            ratio = SequenceMatcher(None, typed, name).ratio()
            similarity[command.key] = max(ratio, similarity.get(command.key, 0.0))
        best = sorted(
            (key for key in similarity if similarity[key] >= MIN_SIMILARITY), key=lambda key: -similarity[key]
        )
        return [self._commands[key] for key in best[:SUGGESTED]]
