"""What commands, notices and exports have in common."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.cards.field_errors import Links
from bot.languages import Language, Texts
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from storage.database import Database


@dataclass(frozen=True, slots=True)
class BotContext:
    """The store, the owners by the setting, the clock, the texts, and the addresses of pages elsewhere."""

    database: Database
    access: AdminsSetting
    clock: Clock
    languages: Mapping[Language, Texts]
    links: Links
