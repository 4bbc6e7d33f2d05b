"""The base class of the product's exceptions, and the whole tree.

An exception that is also of a built-in type names it in brackets. ``tests/repository/test_errors.py`` holds this
drawing to the code.

CloudLinkPresenceError
├── WrongSetting                       app
├── RosterUnavailable                  bot.activity
├── Undelivered                        bot.activity
├── Unreachable                        bot.activity
├── RoleWithdrawn                      bot.chat.authority
├── InsecureHosting (ValueError)       bot.hosting.config
├── ChannelFailure                     bot.hosting.delivery
├── UnreadableResponse (ValueError)    bot.hosting.delivery
├── Refused                            bot.hosting.refusals
├── TurnFailed                         bot.hosting.turn_runner
├── TooLarge (ValueError)              core.http.client
├── WrongProxy                         core.http.proxies
├── CannotListen                       core.http.server
├── Refused (ValueError)               manifest.packer
├── SecretUnreadable                   storage.encryption
├── KeyVaultUnavailable                storage.key_vault
├── KeysUnavailable                    storage.keys
├── AlreadyListed                      storage.queries.chat.roles
├── LastOwner                          storage.queries.chat.roles
├── NotAnOwner                         storage.queries.chat.roles
├── RoleChanged                        storage.queries.chat.roles
├── TooManyMembers                     storage.queries.chat.roles
├── NewerDatabase                      storage.schema
├── UnversionedDatabase                storage.schema
├── CannotCopy                         storage.sqlite_to_postgres
├── Malformed (ValueError)             sync.cloudlink.wire
├── SyncError                          sync.domain.errors
│   ├── CredentialsWrong               sync.domain.errors
│   └── ServiceUnavailable             sync.domain.errors
│       └── ListUnread                 sync.domain.errors
├── AlreadySetUp                       sync.domain.model
├── EditedMeanwhile                    sync.domain.model
├── NameTaken                          sync.domain.model
├── TooManyIntegrations                sync.domain.model
├── UnknownIntegration (LookupError)   sync.domain.model
├── ChangedMeanwhile                   sync.domain.people
├── MatchRefused                       sync.domain.people
├── NoImport (LookupError)             sync.domain.people
├── OptOutForbidden                    sync.domain.people
├── UnknownPerson (LookupError)        sync.domain.people
├── RotationUnderWay                   sync.domain.rotation
├── FileRefused                        sync.people.imports.values
├── RuleRefused                        sync.people.scope.rules
├── NoCertificate (ValueError)         sync.teams.certificates
└── EntraUnavailable                   sync.teams.msal_http
"""


class CloudLinkPresenceError(Exception):
    """Base class of every exception that the product defines."""
