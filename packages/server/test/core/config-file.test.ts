import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { ConfigError, readConfig, settings } from '../../src/config.ts'
import { testCertificate, testCertificates } from '../support/certificate.ts'

let directory: string
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-config-'))
})
after(() => rmSync(directory, { recursive: true }))

const file = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}
const configOf = (toml: string, env: Record<string, string> = {}) =>
  readConfig({ COUNTERSIGN_CONFIG: file('countersign.toml', toml), ...env })
/** The mistakes, one line each, without the directory. */
const mistakes = (toml: string, env: Record<string, string> = {}): string[] => {
  try {
    configOf(toml, env)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message.replaceAll(`${directory}/`, '').split('\n')
  }
  return []
}

it('every setting may stand in a file, by its name without the prefix, in the types that TOML has', () => {
  const pair = (name: string, { cert, key }: { cert: string; key: string }) => [
    file(`${name}.pem`, cert),
    file(`${name}.key`, key),
  ]
  const [cert, key] = pair('first', testCertificate)
  const [otherCert, otherKey] = pair('second', testCertificates.exact)
  const config = configOf(`
    # what an operator wrote
    data = "/var/lib/countersign"
    database = "postgres://db.example.org/countersign"
    keyring = "/etc/keys.json"
    api_listen = "0.0.0.0:443"
    device_listen = "[::]:8443"
    api_url = "https://api.example.org"
    device_url = "https://mfa.example.org"
    tls_cert = ["${cert}", "${otherCert}"]
    tls_key = ["${key}", "${otherKey}"]
    name = "Example MFA"
    trusted_proxies = ["10.0.0.0/8", "192.0.2.1"]
    polls_max = 7
    log_level = "debug"
    metrics_listen = "off"
    drain_seconds = 10
    push_contact = "mailto:mfa@example.org"
    push_hosts = ["push.example.org", ".push.example.net"]
  `)
  const expected = {
    data: '/var/lib/countersign',
    database: 'postgres://db.example.org/countersign',
    keyring: '/etc/keys.json',
    apiListen: { host: '0.0.0.0', port: 443 },
    deviceListen: { host: '::', port: 8443 },
    apiUrl: 'https://api.example.org',
    deviceUrl: 'https://mfa.example.org',
    tls: [
      { cert, key },
      { cert: otherCert, key: otherKey },
    ],
    serverName: 'Example MFA',
    trustedProxies: ['10.0.0.0/8', '192.0.2.1'],
    pollsMax: 7,
    logLevel: 'debug',
    metrics: undefined,
    drainSeconds: 10,
    pushContact: 'mailto:mfa@example.org',
    pushHosts: ['push.example.org', '.push.example.net'],
    unknown: [],
  }
  const { metrics, ...rest } = config
  assert.deepEqual({ metrics, ...rest }, expected)
  assert.equal(configOf(`trusted_proxies = "10.0.0.0/8,::1"\npolls_max = "7"`).trustedProxies.length, 2)
})

it('the environment goes before the file, and an empty variable is none', () => {
  const toml = 'name = "from the file"\npolls_max = 7'
  assert.equal(configOf(toml, { COUNTERSIGN_NAME: 'from the environment' }).serverName, 'from the environment')
  assert.equal(configOf(toml, { COUNTERSIGN_NAME_FILE: file('name', 'secret\n') }).serverName, 'secret')
  const config = configOf(toml, { COUNTERSIGN_NAME: '', COUNTERSIGN_POLLS_MAX: '8' })
  assert.deepEqual([config.serverName, config.pollsMax], ['from the file', 8])
})

it('a secret may stand in a file that the file names', () => {
  const url = 'postgres://countersign:s3cret@db/countersign'
  const path = file('url', `${url}\n`)
  assert.equal(configOf(`database_file = "${path}"`).database, url)
  assert.deepEqual(mistakes(`database_file = "${path}"\ndatabase = "sqlite"`), [
    'countersign.toml: database: Set it or database_file, not both.',
  ])
})

it('all mistakes of all places are told at once, each with its place', () => {
  const env = {
    COUNTERSIGN_LOG_LEVEL: 'loud',
    COUNTERSIGN_NAME: 'x',
    COUNTERSIGN_NAME_FILE: 'x',
    COUNTERSIGN_TLS_KEY: file('one.key', testCertificate.key),
  }
  const lines = mistakes('api_listen = "x"\npolls_max = 0.5\nname = 7\ndevice_listen = ["a:1"]\nnope = 1', env)
  const [level, ...rest] = [
    'COUNTERSIGN_LOG_LEVEL: ',
    'COUNTERSIGN_NAME: ',
    'COUNTERSIGN_TLS_CERT and COUNTERSIGN_TLS_KEY: ',
  ]
  for (const beginning of [
    level,
    ...rest,
    'countersign.toml: api_listen: ',
    'countersign.toml: polls_max: ',
    'countersign.toml: device_listen: ',
    'countersign.toml: "nope" is no setting.',
  ]) {
    assert.equal(
      lines.filter((line) => line.startsWith(beginning ?? '')).length,
      1,
      `${beginning}\n${lines.join('\n')}`,
    )
  }
  assert.equal(lines.length, 7, lines.join('\n'))
})

it('what concerns two settings names where both were written', () => {
  assert.deepEqual(mistakes('api_listen = "x:1"', { COUNTERSIGN_DEVICE_LISTEN: 'x:1' }), [
    'countersign.toml: api_listen and COUNTERSIGN_DEVICE_LISTEN: They need a port each, or an address each.',
    'COUNTERSIGN_API_URL and COUNTERSIGN_DEVICE_URL: Both would be http://x:1; authenticators need an origin of their own.',
  ])
  const cert = file('a.pem', testCertificate.cert)
  const key = file('b.key', testCertificates.exact.key)
  assert.match(
    mistakes(`tls_cert = "${cert}"\ntls_key = ["${key}"]`).join(),
    /^countersign.toml: tls_cert and countersign.toml: tls_key: a.pem and b.key are not a certificate and its key/,
  )
  assert.match(
    mistakes(`tls_cert = "${cert}"\ntls_key = ["${key}", "${key}"]`).join(),
    /: Name as many keys as certificates: there are 1 certificates and 2 keys\.$/,
  )
})

it('a slip of the pen is a mistake, and what was meant is named when it is near', () => {
  for (const [written, meant] of Object.entries({
    api_lisen: 'api_listen',
    'api-listen': 'api_listen',
    API_LISTEN: 'api_listen',
    COUNTERSIGN_DATABASE: 'database',
    databse: 'database',
    database_fil: 'database_file',
    tls_certs: 'tls_cert',
  })) {
    const [line] = mistakes(`${written} = "x"`)
    assert.equal(line, `countersign.toml: "${written}" is no setting. Did you mean "${meant}"?`)
  }
  for (const key of ['config', 'listen', 'tls', 'prototype', 'x']) {
    assert.deepEqual(mistakes(`${key} = "x"`), [`countersign.toml: "${key}" is no setting.`])
  }
  assert.match(mistakes('[api]\nlisten = "x"').join(), /"api" is no setting/)
})

it('T34: a file that is not TOML is told by line and column, and not quoted', () => {
  for (const toml of ['name = "x"\ndatabase = "postgres://u:s3cret@h/x', 'database = s3cret', '__proto__ = "s3cret"']) {
    const [line = '', ...more] = mistakes(toml)
    assert.match(line, /^countersign.toml: It is not valid TOML at line [12], column \d+: /)
    assert.ok(!line.includes('s3cret'))
    assert.deepEqual(more, [])
  }
})

it('a value of a type that no setting has is a mistake', () => {
  for (const value of ['true', '1979-05-27', '{ a = 1 }', '["a"]', '[1]', '[["a"]]'])
    assert.match(mistakes(`name = ${value}`).join(), /^countersign.toml: name: It is one text or number\.$/, value)
  for (const value of ['true', '5', '["a,b"]', '[1]'])
    assert.match(mistakes(`tls_cert = ${value}`).join(), /^countersign.toml: tls_cert: It is a list of texts/, value)
})

it('the file has every setting but the one that names it', () => {
  const known = Object.keys(settings).filter((name) => name !== 'COUNTERSIGN_CONFIG')
  const empty = known.map((name) => `${name.slice('COUNTERSIGN_'.length).toLowerCase()} = ""`).join('\n')
  assert.deepEqual(configOf(empty), readConfig({}))
})
