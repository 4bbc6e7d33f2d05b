"""The changelog's form (Keep a Changelog, what is to be done first), and its newest version is the program's."""

import re

from core.version import VERSION
from tests.support.tools import ROOT

SECTIONS = ["To do when you update", "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
TEXT = (ROOT / "CHANGELOG.md").read_text()
VERSIONS = re.findall(r"^## (.+)$", TEXT, re.M)


def test_the_newest_version_is_the_programs() -> None:
    assert VERSIONS[0].startswith(f"[{VERSION}] - ")


def test_every_version_has_a_date_and_only_the_newest_may_be_unreleased() -> None:
    dated = re.compile(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d")
    assert [version for version in VERSIONS[1:] if not dated.fullmatch(version)] == []
    assert VERSIONS[0].endswith(" - Unreleased") or dated.fullmatch(VERSIONS[0])


def test_every_entry_is_in_a_known_section() -> None:
    for version in re.split(r"^## .+$", TEXT, flags=re.M)[1:]:
        before, *sections = re.split(r"^### ", version, flags=re.M)
        assert before.strip() == ""
        names = [section.partition("\n")[0] for section in sections]
        assert names == [name for name in SECTIONS if name in names]
