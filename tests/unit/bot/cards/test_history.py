import re

import pytest

from bot.cards.access.history import history_card, what
from bot.languages import Language, load_texts
from sync.audit import Act
from tests.cards.gallery.management import NOW, ZONE, act
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN, PT
from tests.support.tools import ROOT

ATTEMPTED = r"(?:attempt|_changing|_set_excluded|record_outcome)\(\s*Act\.(\w+)"


@pytest.mark.parametrize("language", Language)
def test_every_act_has_a_sentence_and_every_sentence_an_act(language: Language) -> None:
    sentences = {key for key in load_texts()[language].keys if key.startswith("act.")}
    assert sentences == {f"act.{act}" for act in Act}


def test_ids_are_shown_whole_so_that_they_can_be_copied() -> None:
    tenant, client, person = (f"{number}b2c3d4e-0000-4000-8000-1234567890ab" for number in range(3))
    edited = act("edit_teams", actor=person, tenant_id=tenant, client_id=client)
    edited.actor_name = ""
    card = history_card(EN, [edited], 1, 0, NOW, ZONE)
    assert all(each in words(card) for each in (tenant, client, person))


def test_a_refused_act_is_an_attempt_and_a_failure_is_said_once() -> None:
    refused, failed = act("enable"), act("rotate_failed")
    refused.result = failed.result = "graph.consent_missing"
    assert what(EN, refused) == "Failed attempt to enable presence"
    assert what(PT, refused) == "Tentativa falhada de ativar a sincronização"
    assert what(EN, failed) == EN("act.rotate_failed")
    assert what(EN, act("enable")) == EN("act.enable")
    unknown = act("some_new_act")
    unknown.result = "graph.unreachable"
    assert "some_new_act" in what(EN, unknown)


def test_every_act_that_can_fail_is_said_as_an_attempt() -> None:
    """``attempt`` records a failure of the acts it is given; a helper passes some of them on."""
    sources = [path.read_text("utf-8") for path in (ROOT / "sync").rglob("*.py")]
    tried = {name.lower() for source in sources for name in re.findall(ATTEMPTED, source)}
    assert tried > {"enable", "people_import", "person_clear"}
    assert {key.removeprefix("attempt.") for key in EN.keys if key.startswith("attempt.")} >= tried
