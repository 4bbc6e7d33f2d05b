"""Who works at the company, and what its directories say of them."""

from collections.abc import Iterable

from sync.domain.services import Group
from tests.simulation.models.graph import GraphModel
from tests.simulation.models.graph import TeamsUser as User
from tests.simulation.models.phones import Colleague, PhoneSystem
from tests.simulation.rules.choices import Choices
from tests.simulation.world import Kind, World

CLOCK_ERRORS = (-600, -290, -30, -2, 2, 30, 240, 900, 5000)
"""Seconds by which CloudLink's clock is ahead of the true time."""

ACCOUNTS = ("account-1", "account-2")


SITES = ("site-north", "site-south")

GROUPS = tuple(Group(f"00000000-0000-4000-8000-00000000000{number}", f"Group {number}") for number in (1, 2, 3))
"""Of Entra ID."""


def hire(world: World, graph: GraphModel) -> dict[str, PhoneSystem]:
    """The phone systems by account: one, or two in which some people work on both."""
    dice = world.dice("people")
    names = ACCOUNTS if world.has(Kind.SHARED_APPLICATION) else ACCOUNTS[:1]
    systems = {name: PhoneSystem(world, name) for name in names}
    number_of_people = dice.randint(5, 12)
    for number in range(1, number_of_people + 1):
        address = f"person{number}@example.com"
        graph.users[f"teams-{number}"] = User(f"teams-{number}", address, f"person{number}@sales.example.com")
        for name, phones in systems.items():
            if name == ACCOUNTS[0] or dice.random() < 0.4:
                _hire(phones, number, address)
    if world.has(Kind.GUESTS):
        address = "partner@elsewhere.example"
        graph.users["guest-1"] = User("guest-1", "partner#EXT#@example.com", address, guest=True)
        _hire(systems[ACCOUNTS[0]], number_of_people + 1, address)
    if world.has(Kind.MATCHES_BY_HAND):
        for number in range(1, 4):
            graph.users[f"free-{number}"] = User(f"free-{number}", f"free{number}@example.com")
    if world.has(Kind.CLOUDLINK_CLOCK):
        for phones in systems.values():
            phones.clock_error = world.dice(Kind.CLOUDLINK_CLOCK).choice(CLOCK_ERRORS)
    if world.has(Kind.PERSON_REFUSED):
        _refuse_some(world, graph)
    _fill_groups(world, graph)
    return systems


def _fill_groups(world: World, graph: GraphModel) -> None:
    dice = world.dice("groups")
    for group in GROUPS:
        graph.groups[group] = {user_id for user_id in graph.users if dice.random() < 0.4}


def _hire(phones: PhoneSystem, number: int, address: str) -> None:
    user_id = f"{phones.account_id}-user-{number}"
    site = phones.world.dice("sites").choice(("", *SITES))
    phones.add(Colleague(user_id, f"Person {number}", address, f"{2000 + number}", site))
    if phones.world.has(Kind.SECOND_DEVICES) and phones.world.dice(Kind.SECOND_DEVICES).random() < 0.5:
        phones.add_device(f"{3000 + number}", user_id)


def _refuse_some(world: World, graph: GraphModel) -> None:
    """Some have no licence all day, others get it in the morning."""
    dice = world.dice(Kind.PERSON_REFUSED)
    for user_id in dice.sample(list(graph.users), 2):
        graph.refused[user_id] = dice.choice((1e9, dice.uniform(20, 100)))


def edit_directory(world: World, graph: GraphModel) -> None:
    """Entra's administrator changes one person, and some minutes later changes it back."""
    dice = world.dice("directory edits")
    user = dice.choice(list(graph.users.values()))
    before = (user.enabled, user.guest, user.principal_name)
    match dice.randrange(3):
        case 0:
            user.enabled = False
        case 1:
            user.guest = True
        case _:
            user.principal_name = f"renamed-{user.id}@example.com"
    world.note(f"directory {user}")

    def restore() -> None:
        user.enabled, user.guest, user.principal_name = before

    if dice.random() < 0.7:
        world.time.after(min(dice.uniform(15, 100), world.busy - world.time.seconds), restore)


def edit_groups(world: World, graph: GraphModel) -> None:
    """Someone joins or leaves a group, all leave it for a while, or it cannot be read for a while."""
    dice = world.dice("group edits")
    group = dice.choice(GROUPS)
    members = graph.groups[group]
    match dice.randrange(4):
        case 0:
            graph.hide_group(group.id)
        case 1:
            before = frozenset(members)
            members.clear()
            world.time.after(dice.uniform(5, 100), lambda: members.update(before))
        case _:
            members ^= {dice.choice(list(graph.users))}
    world.note(f"group {group.name} {sorted(members)} {graph.unreadable}")


def people_of(
    systems: Iterable[PhoneSystem], graph: GraphModel, choices: Choices, teams_id: str
) -> list[tuple[PhoneSystem, str]]:
    """The colleagues, in each phone system, who are this Teams user, or have the address."""
    addresses = (graph.users[teams_id].principal_name, graph.users[teams_id].mail)
    return [
        (phones, each.user_id)
        for phones in systems
        for each in phones.colleagues.values()
        if each.address in addresses or choices.teams_user(phones, each, graph.users) == teams_id
    ]
