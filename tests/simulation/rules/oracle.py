"""What Teams has to show, worked out from the phones and directories as they really are and from what was chosen.

Nothing of it is read from what the product stores, but which integrations its administrator sees as enabled.
"""

from collections.abc import Iterable, Mapping

from tests.simulation.models.graph import GraphModel
from tests.simulation.models.phones import CALLING, TALKING, PhoneSystem
from tests.simulation.rules.choices import Choices

IN_A_CALL = "Busy/InACall"
IN_A_CONFERENCE = "Busy/InAConferenceCall"
PRESENTING = "DoNotDisturb/Presenting"

WEAKEST_FIRST = (None, IN_A_CALL, IN_A_CONFERENCE, PRESENTING)

MITELS = {"on_call": IN_A_CALL, "in_conference": IN_A_CONFERENCE, "do_not_disturb": PRESENTING}


def state(phones: PhoneSystem, user_id: str) -> str:
    """What all phones of one person are doing together."""
    devices = phones.devices_of(user_id)
    calls = [call for device in devices for call in device.calls.values()]
    talks = [call for call in calls if call.state in TALKING]
    if any(device.do_not_disturb for device in devices):
        return "do_not_disturb"
    if any(call.conference or call.state == "conferenced" for call in talks):
        return "in_conference"
    if talks:
        return "on_call"
    return "ringing" if any(call.state in CALLING for call in calls) else "idle"


def wish(phones: PhoneSystem, user_id: str, mapping: Mapping[str, str | None]) -> str | None:
    """What the phones of one person ask for; None: the person's own Teams client decides."""
    return {**MITELS, **mapping}.get(state(phones, user_id))


def right(enabled: Iterable[PhoneSystem], graph: GraphModel, choices: Choices) -> dict[str, str | None]:
    """For each Teams user, what our session has to show: the strongest wish of all who share it."""
    found: dict[str, str | None] = dict.fromkeys(graph.users)
    for phones in enabled:
        mapping = choices.mapping(phones)
        for colleague in phones.colleagues.values():
            teams_id = choices.teams_user(phones, colleague, graph.users)
            if teams_id and not graph.is_refused(teams_id) and not choices.is_excluded(phones, colleague.user_id):
                wished = wish(phones, colleague.user_id, mapping)
                found[teams_id] = max(found[teams_id], wished, key=WEAKEST_FIRST.index)
    return found
