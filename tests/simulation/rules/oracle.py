"""What Teams has to show, worked out from the phones and directories as they really are and from what was chosen.

Nothing of it is read from what the product stores, but which integrations its administrator sees as enabled.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from tests.simulation.models.graph import GraphModel
from tests.simulation.models.phones import CALLING, TALKING, Colleague, PhoneSystem
from tests.simulation.rules.choices import SCHEDULE, TEXTS, Choices
from tests.simulation.rules.hours import is_open
from tests.simulation.rules.selection import Member

IN_A_CALL = "Busy/InACall"
IN_A_CONFERENCE = "Busy/InAConferenceCall"
PRESENTING = "DoNotDisturb/Presenting"

WEAKEST_FIRST = (None, IN_A_CALL, IN_A_CONFERENCE, PRESENTING)

LEFT_ALONE = "leave"

MITELS = {
    "on_call": IN_A_CALL,
    "in_conference": IN_A_CONFERENCE,
    "do_not_disturb": PRESENTING,
    "ringing": LEFT_ALONE,
    "on_hold": LEFT_ALONE,
}


def state(phones: PhoneSystem, user_id: str) -> str:
    """What all phones of one person are doing together."""
    return _states(phones, user_id)[0]


def _states(phones: PhoneSystem, user_id: str) -> list[str]:
    """The same, and what that counts as while it is left alone."""
    devices = phones.devices_of(user_id)
    calls = [call for device in devices for call in device.calls.values()]
    talks = [call for call in calls if call.state in TALKING]
    if not any(device.owner == user_id for device in phones.devices.values()) and not devices:
        return ["unknown"]
    found = ["do_not_disturb"] if any(device.do_not_disturb for device in devices) else []
    if any(call.conference or call.state == "conferenced" for call in talks):
        found += ["in_conference", "on_call"]
    elif talks:
        is_held = all(call.state == "held" for call in talks)
        found += ["on_hold", "on_call"] if is_held else ["on_call"]
    elif any(call.state in CALLING for call in calls):
        found.append("ringing")
    return [*found, "idle"]


def wish(phones: PhoneSystem, user_id: str, mapping: Mapping[str, str | None]) -> str | None:
    """What the phones of one person ask for; None: the person's own Teams client decides."""
    chosen = {**MITELS, **mapping}
    shown = (chosen.get(each) for each in _states(phones, user_id))
    return next((each for each in shown if each != LEFT_ALONE), None)


Showable = tuple[PhoneSystem, Colleague, str]


def showable(
    enabled: Iterable[PhoneSystem], graph: GraphModel, choices: Choices, now: datetime
) -> Iterator[Showable]:
    """Of whom anything may be shown, with the Teams user. ``now`` is by the product's clock."""
    for phones in enabled:
        if not is_open(choices.of_account(SCHEDULE, phones.account_id), now):
            continue
        for colleague in phones.colleagues.values():
            teams_id = choices.teams_user(phones, colleague, graph.users)
            if teams_id and not choices.hidden(phones, colleague, graph.groups_of(teams_id)):
                yield phones, colleague, teams_id


def right(people: Iterable[Showable], graph: GraphModel, choices: Choices) -> dict[str, str | None]:
    """For each Teams user, what our session has to show: the strongest wish of all who share it."""
    found: dict[str, str | None] = dict.fromkeys(graph.users)
    for phones, colleague, teams_id in people:
        if not graph.is_refused(teams_id):
            member = Member(colleague, graph.groups_of(teams_id))
            wished = wish(phones, colleague.user_id, choices.mapping(phones, member))
            found[teams_id] = max(found[teams_id], wished, key=WEAKEST_FIRST.index)
    return found


def right_texts(people: Iterable[Showable], graph: GraphModel, choices: Choices) -> dict[str, str]:
    """For each Teams user, our status message, where they have no words of their own."""
    found = dict.fromkeys(graph.users, "")
    for phones, colleague, teams_id in people:
        texts = choices.of_account(TEXTS, phones.account_id)
        found[teams_id] = texts.get(state(phones, colleague.user_id), "")
    return found
