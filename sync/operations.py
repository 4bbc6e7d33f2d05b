"""Everything an administrator can do, as one value: the part of sync that the bot uses."""

from dataclasses import dataclass

from sync.credentials.monitor_secrets import MonitorSecrets
from sync.credentials.service import CredentialService
from sync.integrations.connection_test import ConnectionTest
from sync.integrations.editor import Editor
from sync.integrations.mapping_editor import MappingEditor
from sync.integrations.message_editor import MessageEditor
from sync.integrations.overview import Overview
from sync.integrations.schedule_editor import ScheduleEditor
from sync.integrations.service import IntegrationService
from sync.people.imports.importer import PeopleImporter
from sync.people.opt_out import OptOut
from sync.people.person_editor import PersonEditor
from sync.people.roster import Roster
from sync.people.scope.editor import ScopeEditor
from sync.phones.poller import Poller
from sync.reports.drills import Drills
from sync.reports.reports import Reports
from sync.updates.service import UpdateService


@dataclass(frozen=True)
class Operations:
    """Each call carries the administrator's tenant; another tenant's integration raises ``UnknownIntegration``.

    Calls that reach CloudLink or Microsoft raise ``SyncError``. Each change is recorded in the audit log.
    """

    integrations: IntegrationService
    editor: Editor
    overview: Overview
    connection_test: ConnectionTest
    credentials: CredentialService
    monitor_secrets: MonitorSecrets
    updates: UpdateService
    roster: Roster
    phones: Poller
    people: PersonEditor
    mappings: MappingEditor
    scopes: ScopeEditor
    opt_out: OptOut
    reports: Reports
    drills: Drills
    imports: PeopleImporter
    schedules: ScheduleEditor
    messages: MessageEditor
