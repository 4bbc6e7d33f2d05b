"""Finds the command that words or a button mean; letter case, accents and extra blanks do not count."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

from bot.chat.context import Command, CommandHandler

SUGGESTED = 3
LIKENESS = 0.55
LONGEST = 60


def normalised(words: str) -> str:
    """Lower case, without accents, punctuation at the ends, or blanks beyond one."""
    letters = unicodedata.normalize("NFKD", words[:1000].casefold())
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"\s+", " ", bare).strip(" \t.!,;:¡¿") or bare.strip()


class Router:
    """The commands by what is typed for them, and the answers by verb."""

    def __init__(self, commands: Sequence[Command]) -> None:
        """Raises ``ValueError`` when two commands claim the same words."""
        self._commands = {command.key: command for command in commands}
        self._names: dict[str, Command] = {}
        for command in commands:
            for name in {normalised(name) for name in (*command.titles.values(), *command.aliases)}:
                if self._names.setdefault(name, command) is not command:
                    raise ValueError(f"two commands are called {name!r}")
        self._answers = {f"command.{command.key}": command.open for command in commands}
        for command in commands:
            self._answers.update(command.actions)

    def command(self, words: str) -> Command | None:
        """The command that is called so, in any language; or that takes the words after its name."""
        said = normalised(words)
        first = self._names.get(said.partition(" ")[0])
        return self._names.get(said) or (first if first and first.takes_words else None)

    def answer(self, verb: str) -> CommandHandler | None:
        return self._answers.get(verb)

    def __getitem__(self, verb: str) -> CommandHandler:
        """The answer to a verb of our own."""
        return self._answers[verb]

    def nearest(self, words: str) -> list[Command]:
        """The few commands whose names are most like the words, best first; none when nothing is alike."""
        said = normalised(words)[:LONGEST]
        likeness: dict[str, float] = {}
        for name, command in self._names.items():
            alike = SequenceMatcher(None, said, name).ratio()
            likeness[command.key] = max(alike, likeness.get(command.key, 0.0))
        best = sorted((key for key in likeness if likeness[key] >= LIKENESS), key=lambda key: -likeness[key])
        return [self._commands[key] for key in best[:SUGGESTED]]
