"""Every verb by its effect; a new one must be listed here before the tenant isolation tests pass."""

_READS = """
setup.resume setup.preview setup.page enable.preview enable.page enable.later disable.ask disable.keep
status.show update.show update.later update.done test.run remove.ask remove.keep integrations.page
integrations.open edit.open edit.rename edit.cloudlink edit.teams rotate.ask rotate.for_me rotate.progress
remove.progress rotate.cancel auto_rotate.show certificate.show certificate.cancel monitors.show monitors.ask
monitors.checklist monitors.secret alerts.told history.show history.page history.filter export.link export.text
people.show people.left_out people.page people.search people.open why.show why.copy person.match me.show
mapping.show mapping.some mapping.person mapping.preview mapping.quiet mapping.reset schedule.show schedule.preview
messages.show
export_people.link report.show report.export drill.show drill.step import_people.page help.cancel help.more
scope.show scope.change scope.preview scope.page
mapping.rules_show mapping.rules_change mapping.rules_preview mapping.rules_page
admins.list admins.invite admins.open admins.ask_remove
"""
READS = frozenset(_READS.split())
"""Read-only verbs, which may be repeated."""

_CHANGES = """
setup.restart setup.back setup.cancel setup.cloudlink setup.register setup.save setup.now setup.later
enable.now disable.now update.install update.undo remove.now edit.save_name edit.save_cloudlink
edit.save_teams edit.save_expiry rotate.save rotate.start auto_rotate.on auto_rotate.off certificate.make
certificate.use certificate.host certificate.federated monitors.add monitors.remove monitors.same monitors.other
monitors.tick drill.begin alerts.save alerts.remind language.set
admins.add admins.change admins.demote admins.remove claim.now
person.exclude person.include person.resend person.clear person.save_match person.unmatch mapping.save
mapping.add mapping.remove mapping.choose mapping.rules_save
scope.save opt_out.stop opt_out.show
import_people.show import_people.paste import_people.apply import_people.cancel
schedule.save messages.save
"""
CHANGES = frozenset(_CHANGES.split())
"""Verbs that change something, outside or in the store."""
