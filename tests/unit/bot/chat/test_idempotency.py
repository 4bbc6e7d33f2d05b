"""Which buttons carry a press id, and that a press id identifies one button."""

from collections import Counter

from bot.chat.idempotency import ACTS, PRESS_ID, with_press_id
from bot.commands import COMMANDS
from bot.languages import Language
from tests.cards.gallery.gallery import gallery_in
from tests.support.bot.fakes import parts


def test_every_act_and_what_is_shown_instead_are_verbs_of_ours() -> None:
    known = {verb for command in COMMANDS for verb in (*command.actions, f"command.{command.key}")}
    assert known >= {*ACTS, *ACTS.values()}
    assert not ACTS.keys() & set(ACTS.values())


def test_a_role_that_may_act_may_see_the_state() -> None:
    least = {verb: one.least for one in COMMANDS for verb in (*one.actions, f"command.{one.key}")}
    assert all(least[act].covers(least[shown]) for act, shown in ACTS.items())


def test_only_acting_buttons_carry_a_press_id_for_current_and_older_clients() -> None:
    for name, card in gallery_in(Language.ENGLISH).items():
        for part in parts(with_press_id(card, "a-press-id")):
            if part["type"] == "Action.Execute":
                sent, fallback = part["data"], part["fallback"]["data"]
                expected = "a-press-id" if part["verb"] in ACTS else None
                assert (sent.get(PRESS_ID), fallback.get(PRESS_ID)) == (expected, expected), name


def test_no_card_has_an_act_twice() -> None:
    """A press id belongs to the card: of two buttons with one verb the second would count as pressed."""
    for name, card in gallery_in(Language.ENGLISH).items():
        verbs = Counter(part["verb"] for part in parts(card) if part["type"] == "Action.Execute")
        assert [verb for verb in ACTS if verbs[verb] > 1] == [], name


def test_a_card_is_left_as_it_was() -> None:
    card = gallery_in(Language.ENGLISH)["stale"]
    assert with_press_id(card, "a-press-id") == card
