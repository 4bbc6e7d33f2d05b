// CloudLink Presence on Azure: Container Apps, PostgreSQL, Key Vault, a managed identity and the bot's registration.
//
//   az deployment group create --resource-group <group> --template-file deploy/azure/main.bicep \
//     --parameters registryName=<registry> image=cloudlink-presence@sha256:<digest>
//
// It asks for secretKeys, adminPassword and databasePassword, so that none is on a command line. The image must be in
// the registry before. No secret is in the apps' settings: Key Vault holds them, the identity reads them, and the
// program gets them as files. The bot itself has no secret at all: it is registered as this managed identity.
//
// Once it is done, the job NAME-role makes the role that the program has in the database.

targetScope = 'resourceGroup'

@description('Where everything runs.')
param location string = resourceGroup().location

@description('A short name that all resources begin with: lower-case letters, digits and hyphens.')
@minLength(3)
@maxLength(20)
param name string = 'cloudlink-presence'

@description('The name of the container registry in this resource group that holds the image.')
param registryName string

@description('Repository and digest of the image in that registry, cloudlink-presence@sha256:..., never a tag.')
@minLength(73)
param image string

@description('Fernet keys, comma-separated; the first encrypts. Lose them and every stored secret must be entered again.')
@secure()
param secretKeys string

@description('A new password for the administrator of the database server: letters and digits only.')
@secure()
@minLength(24)
param adminPassword string

@description('A new password for the program in its database: letters and digits only, for it becomes part of an address.')
@secure()
@minLength(24)
param databasePassword string

@description('Who may administer: Entra object ids, comma-separated. Empty: python app.py claim-code makes a one-time code.')
param admins string = ''

@description('Tenants whose people may talk to the bot, comma-separated. Empty: this tenant alone.')
param allowedTenants string = ''

@description('Where the bot is reached, when it has a domain of its own. Empty: the address that Azure gives it.')
param publicUrl string = ''

@description('How many processes listen, at least and at most.')
param webReplicas object = { least: 1, most: 3 }

@description('How many processes work, at least and at most. Two, so that one may fail.')
param workerReplicas object = { least: 2, most: 6 }

var unique = uniqueString(resourceGroup().id, name)
var databaseName = 'presence'
var adminUser = 'presence'
var databaseUser = 'presence_app'
var authorities = '/etc/ssl/certs/ca-certificates.crt'
var port = 3978
var operationsPort = 3979
var pullImages = '7f951dda-4ed3-4680-a7ca-43fe172d538d'
var readSecrets = '4633458b-17de-408a-b874-0445c86b69e6'
var webName = '${name}-web'
var workerName = '${name}-worker'
var verified = 'sslmode=verify-full&sslrootcert=${authorities}'
var databaseHost = postgres.properties.fullyQualifiedDomainName
var url = empty(publicUrl) ? 'https://${webName}.${appsEnvironment.properties.defaultDomain}' : publicUrl

// ---- Who the bot is, and what it may do

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-identity'
  location: location
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource mayPullImages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, pullImages)
  scope: registry
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', pullImages)
  }
}

// ---- Secrets

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: 'kv-${unique}'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    networkAcls: {
      defaultAction: 'Deny'
      bypass: 'AzureServices'
      virtualNetworkRules: [{ id: network::appsSubnet.id }]
    }
  }
}

resource mayReadSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identity.id, readSecrets)
  scope: vault
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', readSecrets)
  }
}

resource keysSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'secret-keys'
  properties: { value: secretKeys }
}

resource databaseUrlSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'database-url'
  properties: {
    value: 'postgresql://${databaseUser}:${databasePassword}@${databaseHost}/${databaseName}?${verified}'
  }
}

resource adminUrlSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'admin-url'
  properties: {
    value: 'postgresql://${adminUser}:${adminPassword}@${databaseHost}/${databaseName}?${verified}'
  }
}

resource databasePasswordSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'database-password'
  properties: { value: databasePassword }
}

// ---- Network: the database and the vault are reached from inside only

resource network 'Microsoft.Network/virtualNetworks@2024-01-01' = {
  name: '${name}-network'
  location: location
  properties: {
    addressSpace: { addressPrefixes: ['10.20.0.0/16'] }
    subnets: [
      {
        name: 'apps'
        properties: {
          addressPrefix: '10.20.0.0/23'
          serviceEndpoints: [{ service: 'Microsoft.KeyVault' }]
          delegations: [{ name: 'apps', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'database'
        properties: {
          addressPrefix: '10.20.2.0/28'
          delegations: [{ name: 'database', properties: { serviceName: 'Microsoft.DBforPostgreSQL/flexibleServers' } }]
        }
      }
    ]
  }

  resource appsSubnet 'subnets' existing = {
    name: 'apps'
  }

  resource databaseSubnet 'subnets' existing = {
    name: 'database'
  }
}

resource databaseZone 'Microsoft.Network/privateDnsZones@2020-06-01' = {
  name: '${unique}.private.postgres.database.azure.com'
  location: 'global'
}

resource databaseZoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = {
  parent: databaseZone
  name: '${name}-network'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: network.id }
  }
}

// ---- The database

resource postgres 'Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01' = {
  name: '${name}-${unique}'
  location: location
  sku: { name: 'Standard_B2s', tier: 'Burstable' }
  properties: {
    version: '16'
    administratorLogin: adminUser
    administratorLoginPassword: adminPassword
    storage: { storageSizeGB: 32, autoGrow: 'Enabled' }
    backup: { backupRetentionDays: 14, geoRedundantBackup: 'Disabled' }
    highAvailability: { mode: 'Disabled' }
    network: {
      delegatedSubnetResourceId: network::databaseSubnet.id
      privateDnsZoneArmResourceId: databaseZone.id
    }
  }
  dependsOn: [databaseZoneLink]

  resource database 'databases' = {
    name: databaseName
    properties: { charset: 'UTF8', collation: 'en_US.utf8' }
  }
}

// ---- The program: one app that listens, one that works

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs'
  location: location
  properties: { sku: { name: 'PerGB2018' }, retentionInDays: 30 }
}

resource appsEnvironment 'Microsoft.App/managedEnvironments@2024-03-01' = {
  name: '${name}-environment'
  location: location
  properties: {
    vnetConfiguration: { infrastructureSubnetId: network::appsSubnet.id, internal: false }
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: logs.properties.customerId
        sharedKey: logs.listKeys().primarySharedKey
      }
    }
  }
}

var identities = {
  type: 'UserAssigned'
  userAssignedIdentities: { '${identity.id}': {} }
}

var registries = [{ server: registry.properties.loginServer, identity: identity.id }]

var vaultSecrets = [
  { name: 'secret-keys', keyVaultUrl: keysSecret.properties.secretUri, identity: identity.id }
  { name: 'database-url', keyVaultUrl: databaseUrlSecret.properties.secretUri, identity: identity.id }
]

var secretFiles = [
  {
    name: 'secrets'
    storageType: 'Secret'
    secrets: [
      { secretRef: 'secret-keys', path: 'secret_keys' }
      { secretRef: 'database-url', path: 'database_url' }
    ]
  }
]

var secretMounts = [{ volumeName: 'secrets', mountPath: '/run/secrets' }]

var settings = [
  { name: 'HOST', value: '0.0.0.0' }
  { name: 'PORT', value: string(port) }
  { name: 'OPERATIONS_HOST', value: '0.0.0.0' }
  { name: 'OPERATIONS_PORT', value: string(operationsPort) }
  { name: 'PUBLIC_URL', value: url }
  { name: 'DATA_DIR', value: '/tmp/data' }
  { name: 'BOT_APP_TYPE', value: 'UserAssignedMSI' }
  { name: 'BOT_APP_ID', value: identity.properties.clientId }
  { name: 'BOT_TENANT_ID', value: tenant().tenantId }
  { name: 'ALLOWED_TENANTS', value: allowedTenants }
  { name: 'ADMINS', value: admins }
]

// Probes come from inside the environment; ingress leads to the other port alone.
var probes = [
  { type: 'Startup', httpGet: { path: '/healthz', port: operationsPort }, periodSeconds: 2, failureThreshold: 30 }
  { type: 'Liveness', httpGet: { path: '/healthz', port: operationsPort }, periodSeconds: 10, failureThreshold: 3 }
  { type: 'Readiness', httpGet: { path: '/readyz', port: operationsPort }, periodSeconds: 5, failureThreshold: 3 }
]

resource web 'Microsoft.App/containerApps@2024-03-01' = {
  name: webName
  location: location
  identity: identities
  properties: {
    environmentId: appsEnvironment.id
    configuration: {
      activeRevisionsMode: 'Single'
      registries: registries
      secrets: vaultSecrets
      ingress: { external: true, targetPort: port, transport: 'auto', allowInsecure: false }
    }
    template: {
      terminationGracePeriodSeconds: 15
      containers: [
        {
          name: 'web'
          image: '${registry.properties.loginServer}/${image}'
          args: ['web']
          env: settings
          volumeMounts: secretMounts
          probes: probes
          resources: { cpu: json('0.5'), memory: '1Gi' }
        }
      ]
      volumes: secretFiles
      scale: {
        minReplicas: webReplicas.least
        maxReplicas: webReplicas.most
        rules: [{ name: 'requests', http: { metadata: { concurrentRequests: '50' } } }]
      }
    }
  }
  dependsOn: [mayPullImages, mayReadSecrets, postgres::database]
}

resource worker 'Microsoft.App/containerApps@2024-03-01' = {
  name: workerName
  location: location
  identity: identities
  properties: {
    environmentId: appsEnvironment.id
    configuration: {
      activeRevisionsMode: 'Single'
      registries: registries
      secrets: vaultSecrets
    }
    template: {
      terminationGracePeriodSeconds: 15
      containers: [
        {
          name: 'worker'
          image: '${registry.properties.loginServer}/${image}'
          args: ['worker']
          env: settings
          volumeMounts: secretMounts
          probes: probes
          resources: { cpu: json('0.5'), memory: '1Gi' }
        }
      ]
      volumes: secretFiles
      scale: {
        minReplicas: workerReplicas.least
        maxReplicas: workerReplicas.most
        rules: [{ name: 'processor', custom: { type: 'cpu', metadata: { type: 'Utilization', value: '70' } } }]
      }
    }
  }
  dependsOn: [mayPullImages, mayReadSecrets, postgres::database]
}

// ---- The program's role in the database: made by a job that is started by hand

resource role 'Microsoft.App/jobs@2024-03-01' = {
  name: '${name}-role'
  location: location
  identity: identities
  properties: {
    environmentId: appsEnvironment.id
    configuration: {
      triggerType: 'Manual'
      replicaTimeout: 300
      replicaRetryLimit: 0
      manualTriggerConfig: {}
      registries: registries
      secrets: [
        { name: 'admin-url', keyVaultUrl: adminUrlSecret.properties.secretUri, identity: identity.id }
        { name: 'database-password', keyVaultUrl: databasePasswordSecret.properties.secretUri, identity: identity.id }
      ]
    }
    template: {
      containers: [
        {
          name: 'role'
          image: '${registry.properties.loginServer}/${image}'
          command: ['python', '-c', loadTextContent('create_role.py')]
          env: [{ name: 'ROLE_SQL', value: loadTextContent('../database-role.sql') }]
          volumeMounts: secretMounts
          resources: { cpu: json('0.25'), memory: '0.5Gi' }
        }
      ]
      volumes: [
        {
          name: 'secrets'
          storageType: 'Secret'
          secrets: [
            { secretRef: 'admin-url', path: 'admin_url' }
            { secretRef: 'database-password', path: 'database_password' }
          ]
        }
      ]
    }
  }
  dependsOn: [mayPullImages, mayReadSecrets, postgres::database]
}

// ---- The bot, as Teams knows it

resource bot 'Microsoft.BotService/botServices@2022-09-15' = {
  name: '${name}-bot'
  location: 'global'
  kind: 'azurebot'
  sku: { name: 'F0' }
  properties: {
    displayName: 'CloudLink Presence'
    endpoint: '${url}/api/messages'
    msaAppType: 'UserAssignedMSI'
    msaAppId: identity.properties.clientId
    msaAppTenantId: tenant().tenantId
    msaAppMSIResourceId: identity.id
    schemaTransformationVersion: '1.3'
  }

  resource teams 'channels' = {
    name: 'MsTeamsChannel'
    location: 'global'
    properties: {
      channelName: 'MsTeamsChannel'
      properties: { isEnabled: true }
    }
  }
}

@description('The bot\'s application (client) ID: what the Teams app package is made with.')
output botId string = identity.properties.clientId

@description('Where the bot is reached; its host name is the --domain of the Teams app package.')
output publicUrl string = url
