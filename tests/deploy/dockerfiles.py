"""A reader for the parts of Dockerfile syntax that ours uses."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from string import Template


@dataclass(frozen=True, slots=True)
class Instruction:
    word: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its arguments without options, be they a JSON list or plain."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return [word for word in shlex.split(self.text) if not word.startswith("--")]


@dataclass
class Stage:
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[Instruction]:
        return [each for each in self.instructions if each.word == word]

    def last(self, word: str) -> Instruction:
        return self.all(word)[-1]

    @property
    def environment(self) -> dict[str, str]:
        pairs = [pair for each in self.all("ENV") for pair in each.words]
        return dict(pair.split("=", 1) for pair in pairs)


def read_stages(path: Path) -> list[Stage]:
    """The stages; an ``ARG`` before the first has its default where a stage's image names it."""
    stages: list[Stage] = []
    defaults: dict[str, str] = {}
    for line in _logical_lines(path.read_text()):
        word, _, text = line.partition(" ")
        if word == "FROM":
            stages.append(Stage(Template(text.split()[0]).substitute(defaults)))
        elif not stages:
            name, _, defaults[name] = text.partition("=")
        else:
            stages[-1].instructions.append(Instruction(word, text.strip()))
    return stages


def _logical_lines(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]
