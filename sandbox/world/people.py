"""The sample people: who has a phone, who has a Teams account, and why some do not match."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal
from uuid import NAMESPACE_DNS, uuid5

from sandbox.world.phones import Phone
from sandbox.world.presence import Chosen, Session, StatusMessage, TeamsClient

DOMAIN = "valeverde.example"
CLOUD_DOMAIN = "valeverde.onmicrosoft.example"
ACCOUNT_NAME = "Vale Verde"
HEADQUARTERS, PORTO = "Lisboa", "Porto"

Kind = Literal["desk", "softphone", "hotDesk"]


def stable_id(name: str) -> str:
    """A GUID that is the same at each start."""
    return str(uuid5(NAMESPACE_DNS, f"{name}.{DOMAIN}"))


@dataclass
class TeamsUser:
    """A user of the Entra tenant and their presence in Teams. ``changed`` numbers directory changes.

    ``refusal`` is the status of Graph's answer to presence calls about this user (no licence, say), 0 for none.
    """

    id: str
    name: str
    upn: str
    mail: str | None
    proxy_addresses: list[str] = field(default_factory=list)
    enabled: bool = True
    removed: bool = False
    changed: int = 0
    refusal: int = 0
    guest: bool = False
    client: TeamsClient | None = "Available"
    chosen: Chosen | None = None
    session: Session | None = None
    status_message: StatusMessage | None = None


@dataclass
class Group:
    """A group of the Entra tenant. ``members`` are object ids of users and of other groups.

    The members of a ``hidden`` one are not shown to an application without ``Member.Read.Hidden``.
    """

    id: str
    name: str
    members: list[str] = field(default_factory=list)
    hidden: bool = False


@dataclass
class Device:
    """A phone with a number of its own, at a site of the account: what CloudLink calls an endpoint."""

    number: str
    kind: Kind
    phone: Phone = field(default_factory=Phone)
    site: str = HEADQUARTERS

    @property
    def key(self) -> str:
        """Its name on the switchboard: numbers repeat between sites."""
        return self.number if self.site == HEADQUARTERS else f"{self.number}-{self.site.lower()}"

    @property
    def site_id(self) -> str:
        return stable_id(f"site/{self.site}")


@dataclass
class Person:
    """A CloudLink user, and the Teams user who is the same person (``teams_id``), if any.

    ``extension`` and ``phone`` are the desk phone that CloudLink lists; ``others`` are known by their events only.
    """

    id: str
    name: str
    address: str
    extension: str | None
    teams_id: str | None
    phone: Phone
    site: str = HEADQUARTERS
    others: list[Device] = field(default_factory=list)

    @property
    def desk(self) -> Device | None:
        return Device(self.extension, "desk", self.phone, self.site) if self.extension else None

    @property
    def devices(self) -> list[Device]:
        return [each for each in (self.desk, *self.others) if each]


_ALIKE = (
    ("2001", "Ana Martins"),
    ("2002", "Bruno Carvalho"),
    ("2003", "Catarina Lopes"),
    ("2004", "Diogo Ferreira"),
    ("2005", "Emily Carter"),
    ("2006", "Filipa Nunes"),
    ("2007", "George Whitfield"),
    ("2008", "Helena Duarte"),
    ("2009", "Inês Almeida"),
    ("2010", "James Holloway"),
    ("2011", "João Pereira"),
    ("2012", "Katherine Moss"),
    ("2013", "Luís Gonçalves"),
    ("2014", "Margaret Byrne"),
    ("2015", "Miguel Tavares"),
    ("2016", "Oliver Grant"),
    ("2024", "Zoe Bennett"),
    (None, "Frederico Sá"),
)
_OTHERS = {
    "2001": [Device("5001", "softphone")],
    "2002": [Device("5002", "softphone"), Device("7001", "hotDesk")],
    "2010": [Device("5010", "softphone", site=PORTO)],
}
_PLAIN = str.maketrans("áãçéêíóõú", "aaceeioou")


def _local(name: str) -> str:
    return name.lower().translate(_PLAIN).replace(" ", ".")


def _teams(name: str, local: str = "", **differences: object) -> TeamsUser:
    address = f"{local or _local(name)}@{DOMAIN}"
    fields: dict[str, object] = {"upn": address, "mail": address, "proxy_addresses": [f"SMTP:{address}"]}
    return TeamsUser(id=stable_id(f"teams/{local or name}"), name=name, **(fields | differences))  # type: ignore[arg-type]


def _person(
    extension: str | None, name: str, address: str | None, teams: TeamsUser | None, site: str = HEADQUARTERS
) -> Person:
    return Person(
        id=stable_id(f"cloudlink/{name}"),
        name=name,
        address=f"{_local(name)}@{DOMAIN}" if address is None else address,
        extension=extension,
        teams_id=teams.id if teams else None,
        phone=Phone(registered=extension is not None),
        site=site,
        others=deepcopy(_OTHERS.get(extension or "", [])) if site == HEADQUARTERS else [],
    )


def _mismatched() -> list[tuple[Person, list[TeamsUser]]]:
    """One person for each way in which an address matches unusually or not at all."""
    patricia = _teams("Patrícia Rocha")
    rui = _teams("Rui Azevedo", upn=f"rui.azevedo@{CLOUD_DOMAIN}")
    sofia = _teams("Sofia Marques", proxy_addresses=[f"SMTP:sofia.marques@{DOMAIN}", f"smtp:s.marques@{DOMAIN}"])
    vasco = _teams("Vasco Moreira", enabled=False, client=None)
    william = _teams("William Hart")
    namesake = _teams("William Hart (Porto)", "william.hart2", mail=f"william.hart@{DOMAIN}")
    return [
        (_person("2017", "Patrícia Rocha", "Patricia.ROCHA@ValeVerde.example", patricia), [patricia]),
        (_person("2018", "Rui Azevedo", None, rui), [rui]),
        (_person("2019", "Sofia Marques", f"s.marques@{DOMAIN}", sofia), [sofia]),
        (_person("2020", "Thomas Reed", "thomas.reed@old-valeverde.example", None), []),
        (_person("2021", "Teresa Pinto", "", None), []),
        (_person("2022", "Vasco Moreira", None, vasco), [vasco]),
        (_person("2023", "William Hart", None, william), [william, namesake]),
    ]


def _refused() -> list[tuple[Person, list[TeamsUser]]]:
    """Who matches by address, and is a case of its own: unlicensed, a guest, one of an equal extension."""
    beatriz = _teams("Beatriz Ramos", client=None, refusal=403)
    chris = _teams("Chris Palmer", upn=f"chris.palmer_partner.example#EXT#@{CLOUD_DOMAIN}", guest=True, refusal=404)
    nuno = _teams("Nuno Vaz")
    return [
        (_person("2025", "Beatriz Ramos", None, beatriz), [beatriz]),
        (_person("2026", "Chris Palmer", None, chris), [chris]),
        (_person("2016", "Nuno Vaz", None, nuno, PORTO), [nuno]),
    ]


def sample_people() -> tuple[list[Person], list[TeamsUser]]:
    """The CloudLink users by extension, and the Teams users.

    Most match by UPN or mail. The rest: an address known only as a proxy address (2019), one unknown to Teams
    (2020), none at all (2021), a disabled account (2022), one that two Teams users share (2023), no licence (2025),
    a guest (2026), no extension. One extension is at two sites (2016).
    """
    pairs = [(_person(extension, name, None, teams := _teams(name)), [teams]) for extension, name in _ALIKE]
    pairs += _mismatched()
    pairs.sort(key=lambda pair: pair[0].extension or "9999")
    pairs += _refused()
    people, teams_users = [person for person, _ in pairs], [user for _, users in pairs for user in users]
    for place, user in enumerate(teams_users):
        if user.client and place % 9 == 4:
            user.client = "Away"
    return people, teams_users


def sample_groups() -> list[Group]:
    """Sales, everyone at the headquarters with Sales as a group within, and one whose members are hidden."""
    sales = [stable_id(f"teams/{name}") for name in ("Ana Martins", "Bruno Carvalho", "Catarina Lopes")]
    others = [stable_id(f"teams/{name}") for name in ("Diogo Ferreira", "Emily Carter")]
    within = Group(stable_id("group/Sales"), "Sales", sales)
    return [
        within,
        Group(stable_id("group/Headquarters"), "Headquarters", [within.id, *others]),
        Group(stable_id("group/Management"), "Management", others, hidden=True),
    ]
