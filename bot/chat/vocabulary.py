"""Reads ``vocabulary.toml``: what people say beside the commands' own names."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

_READ = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

FILLERS = frozenset(_READ["fillers"].split())
"""Words that say nothing about which command is meant."""

PORTUGUESE, ENGLISH = frozenset(_READ["portuguese"].split()), frozenset(_READ["english"].split())
"""Words that people say in this language and not in the other."""

BESIDE_A_NAME = frozenset(_READ["beside_a_name"].split())
"""Words that people say beside the name of a person."""

ABOUT: Mapping[str, frozenset[str]] = {key: frozenset(words.split()) for key, words in _READ["about"].items()}
"""By a command's key: words that speak of it."""

REMARKS: Mapping[str, str] = {phrase: key for key, phrases in _READ["remarks"].items() for phrase in phrases}
"""What people say that is no command, and the key of its answer, ``remark.<key>``."""
