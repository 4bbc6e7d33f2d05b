"""A list that is suddenly short is believed at a second reading, minutes after the first of the same list."""

from datetime import timedelta
from pathlib import Path

import pytest

from sync.domain.model import Service
from sync.people.sudden_loss import Loss, is_believed
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, stored

pytestmark = pytest.mark.usefixtures("each_database")

OF_CLOUDLINK, OF_ENTRA = Loss(Service.CLOUDLINK, 20, 0), Loss(Service.ENTRA, 20, 9)


async def test_a_first_reading_of_one_list_is_not_the_second_of_another(tmp_path: Path) -> None:
    readings = [(OF_CLOUDLINK, 0, False), (OF_ENTRA, 4, False), (OF_ENTRA, 5, False), (OF_ENTRA, 7, True)]
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        for loss, minutes, believed in readings:
            async with database.writing() as session:
                assert await is_believed(session, "i1", loss, NOON + timedelta(minutes=minutes)) is believed
