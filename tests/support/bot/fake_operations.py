"""The operations of administrators: all fakes, or the real services over fake clients."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from storage.encryption import Encryption
from sync.credentials.monitor_secrets import MonitorSecrets
from sync.credentials.service import CredentialService
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.flow.flow import Flow
from sync.integrations.connection_test import ConnectionTest
from sync.integrations.editor import Editor
from sync.integrations.mapping_editor import MappingEditor
from sync.integrations.message_editor import MessageEditor
from sync.integrations.overview import Overview, Reach
from sync.integrations.schedule_editor import ScheduleEditor
from sync.integrations.service import IntegrationService
from sync.integrations.teardown import TenantTeardown
from sync.integrations.way_in import WayIn
from sync.operations import Operations
from sync.people.directory_sync import DirectorySync
from sync.people.imports.importer import PeopleImporter
from sync.people.opt_out import OptOut
from sync.people.person_editor import PersonEditor
from sync.people.roster import Roster
from sync.people.scope.editor import ScopeEditor
from sync.phones.poller import Poller
from sync.presence.delays import Delays
from sync.presence.reader import PresenceReader
from sync.reports.drills import Drills
from sync.reports.reports import Reports
from sync.scheduling.scheduler import Intervals
from sync.teams.host_credentials import HostCredentials
from sync.teams.quota import Quota, QuotaLedger
from sync.updates.service import UpdateService
from tests.support.bot.fake_credentials import FakeCredentials, FakeMonitorSecrets
from tests.support.bot.fake_people import FakeImports, FakeMappings, FakeMessages, FakePeople, FakeSchedules
from tests.support.bot.fake_reports import FakeDrills, FakeReports
from tests.support.bot.fake_scopes import FakeOptOut, FakeScopes
from tests.support.bot.fake_updates import FakeUpdates
from tests.support.bot.fakes import FakeIntegrations


def fake_operations(
    integrations: FakeIntegrations, credentials: FakeCredentials, updates: FakeUpdates
) -> Operations:
    people = FakePeople()
    return Operations(
        integrations=integrations,
        editor=integrations,
        overview=integrations,
        connection_test=integrations,
        credentials=credentials,
        monitor_secrets=FakeMonitorSecrets(integrations),
        updates=updates,
        roster=people,
        phones=people,
        people=people,
        mappings=FakeMappings(),
        imports=FakeImports(),
        schedules=FakeSchedules(),
        scopes=FakeScopes(),
        opt_out=FakeOptOut(),
        messages=FakeMessages(),
        reports=FakeReports(),
        drills=FakeDrills(),
    )


async def _nothing() -> str:
    """Everything can be stored."""
    return ""


def real_operations(
    context: Context, encryption: Encryption, store_fault: Callable[[], Awaitable[str]] = _nothing
) -> Operations:
    """The services as the engine composes them, with no feature updates to install."""
    store = CredentialStore(encryption)
    quota = QuotaLedger(Quota(1500), context.metrics)
    directory_sync = DirectorySync(context, store)
    flow = Flow(context, store, quota, Delays(context.database, context.clock))
    poller = Poller(context, store, flow, poll_sample_every=timedelta(seconds=60))
    overview = Overview(context, directory_sync, poller, Reach(False, timedelta(seconds=30)), store_fault)
    return Operations(
        integrations=IntegrationService(context, store),
        editor=Editor(context, store, directory_sync, TenantTeardown(context, store, quota)),
        overview=overview,
        connection_test=ConnectionTest(context, store, quota, timedelta(minutes=3), WayIn(context, store, "")),
        credentials=CredentialService(context, store, HostCredentials()),
        monitor_secrets=MonitorSecrets(context, store),
        updates=UpdateService(context, {}),
        roster=Roster(context, PresenceReader(context, store, quota), quota),
        phones=poller,
        people=PersonEditor(context, store),
        mappings=MappingEditor(context),
        scopes=ScopeEditor(context, store),
        opt_out=OptOut(context),
        reports=Reports(context),
        drills=Drills(context, overview, Intervals()),
        imports=PeopleImporter(context),
        schedules=ScheduleEditor(context),
        messages=MessageEditor(context),
    )
