"""Finds the command for typed words or a button; letter case, accents and extra blanks are ignored.

A command is understood by its names, by words that speak of it and of no other, and in spite of a slip of the keys.
All that a typed command does is open its card, so a wrong guess changes nothing; where two are as likely, they are
suggested instead.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache

from bot.activity import Action, Event, Message
from bot.chat.context import Command, CommandHandler
from bot.chat.vocabulary import ABOUT, ENGLISH, FILLERS, PORTUGUESE, REMARKS
from bot.languages import Language, load_texts

SUGGESTED = 2
SAME = 0.82
"""From this similarity on, a name or word is taken for a misspelt one."""

LIKELY = 0.3
"""From this likelihood on, a command is suggested."""

SHORTEST = 4
"""Shorter words are not compared: too many are alike."""

MAX_COMPARED = 60

FOR_FILES = "import_people"
"""The command that a file is for, whatever is typed with it."""


WORD = re.compile(r"[a-z0-9]+")


def normalised(words: str) -> str:
    """Lower case, without accents, punctuation at the ends or repeated blanks."""
    letters = unicodedata.normalize("NFKD", words[:1000].casefold())
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"\s+", " ", bare).strip(" \t.!,;:¡¿?") or bare.strip()


@cache
def _normalised_name(name: str) -> str:
    """Of a command: it is kept, unlike what people type."""
    return normalised(name)


def language_said(words: str) -> Language | None:
    """The language that the words of a typed sentence belong to; None when they say neither."""
    said = set(WORD.findall(normalised(words)))
    votes = {language: len(said & own) for language, own in _own_words().items()}
    english, portuguese = votes[Language.ENGLISH], votes[Language.PORTUGUESE]
    if english == portuguese:
        return None
    return Language.PORTUGUESE if portuguese > english else Language.ENGLISH


@cache
def _own_words() -> Mapping[Language, frozenset[str]]:
    """The words of each language that the other does not use, in all that the bot says and in what people say."""
    known = {
        language: {
            word for key in texts.keys for form in texts.forms(key) for word in WORD.findall(normalised(form))
        }
        for language, texts in load_texts().items()
    }
    english, portuguese = known[Language.ENGLISH], known[Language.PORTUGUESE]
    return {
        Language.ENGLISH: frozenset(english - portuguese - PORTUGUESE | ENGLISH),
        Language.PORTUGUESE: frozenset(portuguese - english - ENGLISH | PORTUGUESE),
    }


class Router:
    """The commands by what is typed for them, and the handlers by verb."""

    def __init__(self, commands: Sequence[Command]) -> None:
        """Raises ``ValueError`` when two commands have the same title or alias."""
        self._commands = {command.key: command for command in commands}
        self._names: dict[str, Command] = {}
        for command in commands:
            for name in {_normalised_name(name) for name in (*command.titles.values(), *command.aliases)}:
                if self._names.setdefault(name, command) is not command:
                    raise ValueError(f"two commands are called {name!r}")
        self._about = {command.key: self._words_about(command) for command in commands}
        self._common = Counter(word for words in self._about.values() for word in words)
        self._handlers = {f"command.{command.key}": command.open for command in commands}
        for command in commands:
            self._handlers.update(command.actions)

    def _words_about(self, command: Command) -> frozenset[str]:
        named = {word for name, one in self._names.items() if one is command for word in words_of(name)}
        return ABOUT.get(command.key, frozenset()) | named

    def command(self, words: str) -> Command | None:
        """The command that is meant; None if it is unclear, or if the words are a remark.

        A title or alias in any language wins, then a title that an argument follows.
        """
        typed = normalised(words)
        first = self._names.get(typed.partition(" ")[0])
        named = self._names.get(typed) or (first if first and first.takes_words else None)
        named = named or self._names.get(" ".join(words_of(typed)))
        return named or (None if _remark(typed) else self._meant(typed))

    def is_said(self, words: str) -> bool:
        """Whether all these words are a command, or a remark, without a guess: nothing else is named beside it."""
        typed = normalised(words)
        first = self._names.get(typed.partition(" ")[0])
        if typed in self._names or _remark(typed) or (first and first.takes_words):
            return True
        said = set(re.findall(r"\w+", typed)) - FILLERS
        return bool(said) and any(said <= about for about in self._about.values())

    def remark(self, words: str) -> str:
        """The key of the answer to words that are no command, such as "thanks"; empty for all other words.

        The label of a button is one, too, if it is not understood as a command.
        """
        typed = normalised(words)
        if typed in self._names:
            return ""
        label = "answer" if _bare(typed) in button_labels() and not self._meant(typed) else ""
        return _remark(typed) or label

    def command_of(self, event: Event) -> Command | None:
        """The command of a typed message, or of a sent file; None for any other event."""
        if not isinstance(event, Message):
            return None
        return self._commands.get(FOR_FILES) if event.file else self.command(event.text)

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

    def named(self, key: str) -> Command:
        """The command of a key that is known to exist."""
        return self._commands[key]

    def nearest(self, words: str) -> list[Command]:
        """The two commands that are most likely meant, best first; none that is unlikely.

        One whose name is among the words comes first, and beside it none that is only a guess at a slip.
        """
        typed = normalised(words)
        likely = [key for score, key in self._likelihoods(typed) if score >= LIKELY]
        named = [key for key in likely if self._is_named(typed, key)]
        said = set(words_of(typed))
        others = [key for key in likely if key not in named and not (named and said.isdisjoint(self._about[key]))]
        return [self._commands[key] for key in (*named, *others)[:SUGGESTED]]

    def beside_a_name(self, words: str) -> Command | None:
        """The command that is named beside a few words of which no command is spoken, such as an unknown name."""
        typed = f" {normalised(words)} "
        name = max((each for each in self._names if f" {each} " in typed), key=len, default="")
        rest = " ".join(words_of(typed.replace(f" {name} ", " ", 1)))
        return self._names[name] if name and not self._likelihoods(rest) else None

    def _is_named(self, typed: str, key: str) -> bool:
        names = (name for name, command in self._names.items() if command.key == key)
        return any(f" {name} " in f" {typed} " for name in names)

    def _meant(self, typed: str) -> Command | None:
        """The command that is most likely meant, if it is certain enough and no other is as likely."""
        scores = self._likelihoods(typed)
        if not scores or scores[0][0] < 1 or (len(scores) > 1 and scores[1][0] == scores[0][0]):
            return None
        return self._commands[scores[0][1]]

    def _likelihoods(self, typed: str) -> list[tuple[float, str]]:
        """Each command that is possible and how likely: from 1 on all that was said speaks of it."""
        found = [(self._likelihood(typed, words_of(typed), key), key) for key in self._commands]
        return sorted(((score, key) for score, key in found if score), key=lambda pair: -pair[0])

    def _likelihood(self, typed: str, words: Sequence[str], key: str) -> float:
        names = [name for name, command in self._names.items() if command.key == key]
        if len(typed) <= MAX_COMPARED and (best := max(alike(typed, name) for name in names)) >= SAME:
            return 1 + best
        spoken = [about for word in words if (about := self._spoken(word, key))]
        special = sum(1 / self._common[about] for about in spoken) / 100
        return len(spoken) / len(words) + special if spoken else 0.0

    def _spoken(self, word: str, key: str) -> str:
        """The word about the command that ``word`` is, or is a slip of; empty if there is none."""
        if word in self._about[key]:
            return word
        near = ((alike(word, about), about) for about in self._about[key] if word not in self._common)
        best = max(near, default=(0.0, ""))
        return best[1] if best[0] >= SAME else ""


def alike(one: str, other: str) -> float:
    """From 0 to 1; 0 for short words and for those that do not begin alike. Letters may have changed places."""
    if min(len(one), len(other)) < SHORTEST or one[0] != other[0] or abs(len(one) - len(other)) > 3:
        return 0.0
    if sorted(one) == sorted(other):
        return 1.0 if one == other else 0.9
    return SequenceMatcher(None, one, other).ratio()


def _bare(typed: str) -> str:
    """Without punctuation."""
    return re.sub(r"[^\w ]", "", typed).strip()


def _remark(typed: str) -> str:
    """The key of the answer to a remark, with or without words that say nothing; empty for other words."""
    return REMARKS.get(_bare(typed), "") or REMARKS.get(" ".join(words_of(typed)), "")


def words_of(said: str) -> list[str]:
    """The words of a normalised sentence, without those that say nothing; never more than a dozen."""
    return [word for word in WORD.findall(said) if word not in FILLERS][:12]


@cache
def button_labels() -> frozenset[str]:
    """The labels of all buttons, in every language, as they would be typed."""
    catalogues = load_texts().values()
    labels = [texts.lenient(key, {}) for texts in catalogues for key in texts.keys if key.startswith("button.")]
    return frozenset(_bare(normalised(label)) for label in labels)
