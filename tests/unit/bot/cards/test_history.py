import pytest

from bot.cards.access.history import history_card
from bot.languages import Language, load_texts
from sync.audit import Act
from tests.cards.gallery.management import NOW, ZONE, act
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN


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
