"""Every command about people, and an import of everyone, with 100,000 of them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain
from time import perf_counter, process_time

from cryptography.fernet import Fernet
from sqlalchemy import insert, text

from bot.chat.imports.csv_file import column_names, read_csv
from bot.languages import load_texts
from core.text import searchable
from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.queries.people import groups
from storage.queries.people.directory_people import PeopleQuery
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.model import Actor, Rule, RuleKind
from sync.domain.people import PeopleFilter
from sync.domain.presence import TALKING
from sync.integrations.mapping_editor import MappingEditor, WantedRules
from sync.people.imports.importer import PeopleImporter
from sync.people.imports.values import Wish
from sync.people.opt_out import OptOut
from sync.people.person_editor import PersonEditor
from sync.people.roster import Roster
from sync.people.scope.editor import ScopeEditor
from sync.people.scope.rules import Scope, ScopeMode, Side
from sync.presence.reader import PresenceReader
from sync.teams.quota import Quota, QuotaLedger
from tests.bench.match import longest_turn
from tests.support.services.fake_services import context_of
from tests.support.storage import postgres
from tests.support.storage.stores import integration, stored, with_secrets

PEOPLE = 100_000
GIVEN = ("Ana", "Bruno", "Catarina", "Diogo", "Inês", "João", "Luís", "Margarida", "Sofia", "Zé")
FAMILY = ("Almeida", "Carvalho", "Conceição", "Costa", "Ferreira", "Lopes", "Martins", "Nunes", "Pereira", "Silva")
ONCE = frozenset(
    {"exclude", "show again", "clear", "scope, saved", "mapping by twenty rules, saved", "stop showing my calls"}
)
ENCRYPTION = Encryption([Fernet.generate_key().decode()])


async def seconds(call: Callable[[], Awaitable[object]], clock: Callable[[], float] = perf_counter) -> float:
    began = clock()
    await call()
    return clock() - began


def someone(place: int) -> dict[str, object]:
    name = f"{GIVEN[place % 10]} {FAMILY[place // 10 % 10]} {place:06}"
    row = Person(
        id=f"p{place:06}",
        integration_id="i1",
        cloudlink_user_id=f"c{place}",
        name=name,
        address=f"person{place}@example.com",
        extension=f"{place:06}",
        teams_user_id=f"t{place}",
        line="on_call" if place == PEOPLE - 1 else "idle",
    )
    row.search = searchable(row.name, row.address, row.extension)
    return row.model_dump()


@asynccontextmanager
async def many_people(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as opened:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        await stored(opened, with_secrets(integration(), ENCRYPTION, **secrets))
        for start in range(0, PEOPLE, 10_000):
            async with opened.writing() as session:
                rows = [someone(place) for place in range(start, start + 10_000)]
                await (await session.connection()).execute(insert(Person), rows)
        async with opened.writing() as session:
            members = [f"t{place}" for place in range(0, PEOPLE, 2)]
            await groups.add(session, "i1", "g1", members)
            await session.execute(text("ANALYZE"))  # PostgreSQL does it by itself within a minute
        yield opened


async def every_command(database: Database) -> dict[str, float]:
    """The seconds of processor time of each, the server's included; of what can be repeated, the least of three."""
    clock = process_time if database.is_sqlite else _with_server
    context, store = context_of(database), CredentialStore(ENCRYPTION)
    quota = QuotaLedger(Quota(1500), context.metrics)
    roster, editor = Roster(context, PresenceReader(context, store, quota), quota), PersonEditor(context, store)
    by = Actor("rui", "Rui")

    def listed(**query: object) -> Callable[[], Awaitable[object]]:
        return lambda: roster.page("t1", "i1", PeopleQuery(**query, talking=TALKING))  # type: ignore[arg-type]

    scopes, opt_out = ScopeEditor(context, store), OptOut(context)
    address, extensions, group = (
        Scope(ScopeMode.EXCEPT, (Rule(kind, value),))
        for kind, value in (
            (RuleKind.ADDRESS, "*7@example.com"),
            (RuleKind.EXTENSIONS, "000100-000199"),
            (RuleKind.GROUP, "g1"),
        )
    )
    every = Scope(ScopeMode.ONLY, tuple(Rule(RuleKind.EXTENSIONS, f"{n:06}") for n in range(20)))

    mappings = MappingEditor(context)
    reception = (await mappings.add("t1", "i1", 1, "Reception", by)).further[0].id
    rules = (
        *(Rule(RuleKind.EXTENSIONS, f"{n:06}") for n in range(10)),
        *(Rule(RuleKind.ADDRESS, f"*{n}7@example.com") for n in range(9)),
        Rule(RuleKind.GROUP, "g1"),
    )
    wanted = WantedRules(reception, rules, 1)

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "mapping by twenty rules, tried": lambda: mappings.try_rules("t1", "i1", wanted),
        "mapping by twenty rules, the last page": lambda: mappings.trial_page(
            "t1", "i1", wanted, Side.COME, "p099990"
        ),
        "mapping by twenty rules, saved": lambda: mappings.save_rules("t1", "i1", 2, wanted, by),
        "scope": lambda: scopes.view("t1", "i1"),
        "scope, tried by address": lambda: scopes.preview("t1", "i1", address),
        "scope, tried by extension": lambda: scopes.preview("t1", "i1", extensions),
        "scope, tried by group": lambda: scopes.preview("t1", "i1", group),
        "scope, tried by twenty rules": lambda: scopes.preview("t1", "i1", every),
        "scope, who goes, the last page": lambda: scopes.page("t1", "i1", every, Side.GO, "p099990"),
        "scope, saved": lambda: scopes.save("t1", "i1", 3, extensions, by),
        "stop showing my calls": lambda: opt_out.choose("t1", "t50001", by, opted_out=True),
        "people": listed(),
        "people, the last page": listed(after="p099990"),
        **{f"people, {one}": listed(filter=one.value, by="rui") for one in PeopleFilter},
        "people, words": listed(words=("conceicao", "0999")),
        "people, words of nobody": listed(words=("nobody",)),
        "find a name": lambda: roster.find("t1", "Sofia Silva 099998"),
        "find an extension": lambda: roster.find("t1", "099998"),
        "find a part of a name": lambda: roster.find("t1", "onceicao 0999"),
        "find a misspelt name": lambda: roster.find("t1", "Sofya Conseicao"),
        "find nobody in a sentence": lambda: roster.find("t1", "please pause everything", is_guess=True),
        "card": lambda: roster.card("t1", "i1", "p050000"),
        "why": lambda: roster.explain("t1", "i1", "p050000"),
        "my presence": lambda: roster.of_user("t1", "t50000"),
        "exclude": lambda: editor.exclude("t1", "i1", "p050000", 0, by),
        "show again": lambda: editor.resend("t1", "i1", "p050000", by),
        "clear": lambda: editor.clear("t1", "i1", "p050000", by),
    }
    await calls["people"]()
    return {
        name: min([await seconds(call, clock) for _ in range(1 if name in ONCE else 3)])
        for name, call in calls.items()
    }


def _with_server() -> float:
    return process_time() + postgres.seconds_worked()


async def import_of_everyone(database: Database) -> dict[str, float]:
    """The seconds of each step for 100,000 lines: read in a thread, compared in slices, applied in one transaction.

    ``held`` is the longest time for which the event loop was computing.
    """
    rows = [("Person ID", "Extension", "Address", "Excluded", "Teams user", "Matched by hand")]
    rows += [
        (f"p{place:06}", f"{place:06}", f"person{place}@example.com", "yes", "", "") for place in range(PEOPLE)
    ]
    content = "".join(",".join(f'"{cell}"' for cell in row) + "\r\n" for row in rows).encode()
    by, importer = Actor("rui", "Rui"), PeopleImporter(context_of(database))
    names, took = column_names(load_texts()), {}

    async def whole() -> None:
        began = perf_counter()
        wishes = await asyncio.to_thread(lambda: [*chain.from_iterable(read_csv(content, names))])
        took["read"] = perf_counter() - began
        took["compare"] = await seconds(lambda: importer.compare("t1", "i1", by, wishes))
        view = await importer.newest("t1", by)
        assert view
        took["page"] = await seconds(lambda: importer.show("t1", by, view.id, after=50_000))
        took["apply"] = await seconds(lambda: importer.apply("t1", by, view.id))
        addresses = [Wish(1 + place, address=f"Person{place}@example.com", excluded=False) for place in range(10)]
        took["ten lines by address"] = await seconds(lambda: importer.compare("t1", "i1", by, addresses))

    gc.collect()
    gc.freeze()  # as app.py does after its start
    _, held = await longest_turn(whole())
    return {**took, "held": held}
