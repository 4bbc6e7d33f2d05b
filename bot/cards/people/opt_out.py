"""What people decide about their own calls, and what else keeps these from being shown."""

from collections.abc import Sequence

from microsoft_teams.cards.core import Action, CardElement

from bot.activity import Card
from bot.cards.parts import Style, button, card, header, note
from bot.languages import Texts
from sync.domain.people import Explanation, PersonLine, Reason

DECIDED = frozenset({Reason.EXCLUDED, Reason.OUTSIDE})
"""Why the own choice changes nothing: an administrator decided."""


def choice(
    texts: Texts, found: Sequence[Explanation], *, is_done: bool = False, is_forbidden: bool = False
) -> Card:
    """What is so now, or what was done, and its opposite; ``found`` are the people who the asking person is."""
    title = texts("opt_out.title")
    is_so = is_done and not any(each.reason in DECIDED for each in found)
    style: Style = "good" if is_so else "default"
    body: list[CardElement] = [header("🙋", title)]
    if not found:
        body.append(note("default", "☎️", texts("why.me.none"), texts("why.me.none.remedy")))
    elif is_forbidden:
        body.append(note("warning", "⚠️", texts("opt_out.forbidden"), texts("opt_out.forbidden.remedy")))
    else:
        body.append(note(style, "✅" if is_so else "ℹ️", *_state(texts, found)))
    actions: list[Action] = [button(texts("button.my_presence"), "me.show")]
    if found and not is_forbidden:
        is_asked = not is_done and not any(each.reason in DECIDED for each in found)
        actions.insert(0, opposite(texts, [each.person for each in found], is_asked=is_asked))
    return card(texts, title, body, actions)


def opposite(texts: Texts, people: Sequence[PersonLine], *, is_asked: bool = True) -> Action:
    """The button that ends or begins showing one's own calls; ending it is the main one only where ``is_asked``."""
    if any(person.opted_out for person in people):
        return button(texts("button.opt_in"), "opt_out.show", style="positive")
    return button(texts("button.opt_out"), "opt_out.stop", style="positive" if is_asked else None)


def _state(texts: Texts, found: Sequence[Explanation]) -> tuple[str, str]:
    if any(each.person.opted_out for each in found):
        return texts("opt_out.stopped"), texts("opt_out.stopped.more")
    if any(each.reason in DECIDED for each in found):
        return texts("opt_out.but"), texts("opt_out.but.more")
    if found and all(each.reason in {Reason.CLOSED, Reason.PAUSED} for each in found):
        return texts("opt_out.later"), texts("opt_out.shown.more")
    return texts("opt_out.shown"), texts("opt_out.shown.more")
