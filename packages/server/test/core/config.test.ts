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
/** The settings of a server with these certificates. */
const tlsOf = (...pems: { cert: string; key: string }[]) => ({
  COUNTERSIGN_TLS_CERT: pems.map(({ cert }, index) => file(`${index}.pem`, cert)).join(','),
  COUNTERSIGN_TLS_KEY: pems.map(({ key }, index) => file(`${index}.key`, key)).join(', '),
})
/** The mistakes, one line each. */
const mistakes = (env: Record<string, string>): string[] => {
  try {
    readConfig(env)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message.split('\n')
  }
  return []
}

it('without any setting a server runs for its own machine', () => {
  assert.deepEqual(readConfig({}), {
    data: './data',
    database: 'sqlite',
    keyring: 'data/keyring.json',
    apiListen: { host: '127.0.0.1', port: 8080 },
    deviceListen: { host: '127.0.0.1', port: 8081 },
    apiUrl: 'http://localhost:8080',
    deviceUrl: 'http://localhost:8081',
    tls: [],
    serverName: 'Countersign',
    trustedProxies: [],
    pollsMax: 50_000,
    logLevel: 'info',
    metrics: { listen: { host: '127.0.0.1', port: 9464 }, asked: false },
    pushContact: undefined,
    pushHosts: [],
    drainSeconds: 0,
    unknown: [],
  })
})

it('every setting is read as it is written', () => {
  const tls = tlsOf(testCertificate, testCertificates.exact)
  const config = readConfig({
    ...tls,
    COUNTERSIGN_DATA: '/var/lib/countersign',
    COUNTERSIGN_DATABASE: 'postgres://db.example.org/countersign',
    COUNTERSIGN_KEYRING: '/etc/keys.json',
    COUNTERSIGN_API_LISTEN: '0.0.0.0:443',
    COUNTERSIGN_DEVICE_LISTEN: '[::]:8443',
    COUNTERSIGN_API_URL: 'https://api.example.org/',
    COUNTERSIGN_DEVICE_URL: 'https://mfa.example.org',
    COUNTERSIGN_NAME: 'Example MFA',
    COUNTERSIGN_TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::/32,192.0.2.1',
    COUNTERSIGN_POLLS_MAX: '7',
    COUNTERSIGN_LOG_LEVEL: 'debug',
    COUNTERSIGN_METRICS_LISTEN: '10.0.0.1:9464',
    COUNTERSIGN_PUSH_CONTACT: 'mailto:mfa@example.org',
    COUNTERSIGN_PUSH_HOSTS: 'push.example.org,.push.example.org',
    COUNTERSIGN_DRAIN_SECONDS: '15',
  })
  assert.deepEqual(config, {
    data: '/var/lib/countersign',
    database: 'postgres://db.example.org/countersign',
    keyring: '/etc/keys.json',
    apiListen: { host: '0.0.0.0', port: 443 },
    deviceListen: { host: '::', port: 8443 },
    apiUrl: 'https://api.example.org',
    deviceUrl: 'https://mfa.example.org',
    tls: ['0', '1'].map((name) => ({ cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) })),
    serverName: 'Example MFA',
    trustedProxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
    pollsMax: 7,
    logLevel: 'debug',
    metrics: { listen: { host: '10.0.0.1', port: 9464 }, asked: true },
    pushContact: 'mailto:mfa@example.org',
    pushHosts: ['push.example.org', '.push.example.org'],
    drainSeconds: 15,
    unknown: [],
  })
})

it('an origin that is not set follows from where the server listens, and from whether it speaks TLS', () => {
  const tls = tlsOf(testCertificate)
  for (const [listen, url] of [
    ['127.0.0.1:9000', 'localhost:9000'],
    ['127.9.9.9:9000', 'localhost:9000'],
    ['0.0.0.0:9000', 'localhost:9000'],
    ['[::]:9000', 'localhost:9000'],
    ['[::1]:9000', 'localhost:9000'],
    ['192.0.2.1:9000', '192.0.2.1:9000'],
    ['[2001:db8::1]:9000', '[2001:db8::1]:9000'],
    ['mfa.example.org:9000', 'mfa.example.org:9000'],
  ] as const) {
    assert.equal(readConfig({ COUNTERSIGN_API_LISTEN: listen }).apiUrl, `http://${url}`)
    assert.equal(readConfig({ COUNTERSIGN_API_LISTEN: listen, ...tls }).apiUrl, `https://${url}`)
  }
  assert.equal(readConfig({ COUNTERSIGN_API_LISTEN: 'h.example:443', ...tls }).apiUrl, 'https://h.example')
})

it('a mistake is told with the name of its setting', () => {
  const wrong: Record<string, string[]> = {
    COUNTERSIGN_DATABASE: ['mysql://x', 'sqlite3', 'SQLITE', 'postgres'],
    COUNTERSIGN_API_LISTEN: [
      '8080',
      '127.0.0.1',
      '127.0.0.1:',
      ':8080',
      'x:0',
      'x:65536',
      'x:99999',
      '::1:8080',
      'x:80:80',
      'x:8o',
    ],
    COUNTERSIGN_DEVICE_LISTEN: ['8081', '[::1]', '[x]:1'],
    COUNTERSIGN_API_URL: [
      'api.example.org',
      'ftp://x',
      'https://x/api',
      'https://x?y',
      'https://u@x',
      'https://X',
      'https://x:443',
      'x',
    ],
    COUNTERSIGN_DEVICE_URL: ['https://mfa.example.org/a', 'https://mfa.example.org//', 'javascript:1'],
    COUNTERSIGN_TRUSTED_PROXIES: [
      '*',
      'localhost',
      '10.0.0.0/33',
      '10.0.0/8',
      '2001:db8::/129',
      '10.0.0.1,',
      '10.0.0.0/',
      '1.2.3.4/x',
      '10.0.0.0/8/8',
    ],
    COUNTERSIGN_POLLS_MAX: ['0', '-1', '1.5', 'many', '1e999', 'NaN'],
    COUNTERSIGN_LOG_LEVEL: ['verbose', 'INFO', 'silent', 'trace'],
    COUNTERSIGN_METRICS_LISTEN: ['9464', 'Off', 'none', 'x:0'],
    COUNTERSIGN_DRAIN_SECONDS: ['-1', '1.5', '601', '10s', '0x1'],
    COUNTERSIGN_CONFIG: [join(tmpdir(), 'there is no such file'), tmpdir()],
    COUNTERSIGN_TLS_CERT: [
      join(tmpdir(), 'there is no such file'),
      tmpdir(),
      file('not.pem', 'not a certificate'),
      `${file('good.pem', testCertificate.cert)},`,
    ],
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const [line = '', ...more] = mistakes({ [name]: value }).filter((line) => !line.includes('Set both or neither'))
      assert.ok(line.startsWith(`${name}: `), `${name}=${value}: ${line}`)
      assert.deepEqual(more, [], value)
    }
  }
})

it('all mistakes are told at once', () => {
  const lines = mistakes({
    COUNTERSIGN_DATABASE: 'x',
    COUNTERSIGN_API_LISTEN: 'x',
    COUNTERSIGN_POLLS_MAX: 'x',
    COUNTERSIGN_LOG_LEVEL: 'x',
    COUNTERSIGN_API_URL: 'x',
    COUNTERSIGN_TLS_KEY: file('pem', '-----BEGIN X-----'),
  })
  assert.equal(lines.length, 6, lines.join('\n'))
})

it('the two listeners share neither address and port, nor a port where one has every address', () => {
  const told = (api: string, device: string) =>
    mistakes({ COUNTERSIGN_API_LISTEN: api, COUNTERSIGN_DEVICE_LISTEN: device }).join()
  for (const [api, device] of [
    ['192.0.2.1:1', '192.0.2.1:1'],
    ['0.0.0.0:1', '192.0.2.1:1'],
    ['192.0.2.1:1', '[::]:1'],
  ] as const) {
    assert.match(told(api, device), /a port each/, `${api} ${device}`)
  }
  assert.equal(told('192.0.2.1:443', '192.0.2.2:443'), '')
  assert.equal(told('0.0.0.0:443', '0.0.0.0:8443'), '')
})

it('TLS cannot have half of what it needs', () => {
  const pem = file('pem', '-----BEGIN X-----')
  for (const name of ['COUNTERSIGN_TLS_CERT', 'COUNTERSIGN_TLS_KEY']) {
    assert.match(mistakes({ [name]: pem }).join(), /both or neither/)
  }
})

it('an empty setting is none', () => {
  const empty = Object.fromEntries(Object.keys(settings).map((name) => [name, '']))
  assert.deepEqual(readConfig(empty), readConfig({}))
})

it('each setting may stand in a file, without the newline that it ends in, and not in both', () => {
  const url = 'postgres://countersign:s3cret@db/countersign'
  const path = file('url', `${url}\n`)
  assert.equal(readConfig({ COUNTERSIGN_DATABASE_FILE: path }).database, url)
  assert.equal(readConfig({ COUNTERSIGN_DATABASE_FILE: path, COUNTERSIGN_DATABASE: '' }).database, url)
  const both = mistakes({ COUNTERSIGN_DATABASE_FILE: path, COUNTERSIGN_DATABASE: url })
  assert.match(both.join(), /^COUNTERSIGN_DATABASE: .*not both/)
  assert.equal(mistakes({ COUNTERSIGN_DATABASE_FILE: join(directory, 'none') }).length, 1)
  assert.equal(readConfig({ COUNTERSIGN_NAME_FILE: file('empty', '\n') }).serverName, 'Countersign')
})

it('T34: a mistake in a secret does not quote the secret', () => {
  const secret = 's3cret-word'
  const told = [
    ...mistakes({ COUNTERSIGN_DATABASE: `mysql://u:${secret}@db/x` }),
    ...mistakes({ COUNTERSIGN_TLS_KEY: file('key', secret), COUNTERSIGN_TLS_CERT: file('cert', secret) }),
  ]
  assert.equal(told.length, 3)
  assert.ok(!told.join().includes(secret))
})

it('a slip of the pen is noted by its name', () => {
  const env = { COUNTERSIGN_DATABSE: 'x', COUNTERSIGN_NAME_FILE: file('name', 'x'), COUNTERSIGN_FILE: 'x', OTHER: 'x' }
  assert.deepEqual(readConfig(env).unknown, ['COUNTERSIGN_DATABSE', 'COUNTERSIGN_FILE'])
})

it('the REST API and the authenticators never have one origin, whether it is set or follows from where they listen', () => {
  const [api, device] = ['COUNTERSIGN_API_LISTEN', 'COUNTERSIGN_DEVICE_LISTEN']
  const same: Record<string, string>[] = [
    { [api]: '127.0.0.1:8080', [device]: '127.0.0.2:8080' },
    { [api]: '127.0.0.1:8080', [device]: '[::1]:8080' },
    { COUNTERSIGN_API_URL: 'http://localhost:8081' },
    { COUNTERSIGN_API_URL: 'https://mfa.example.org/', COUNTERSIGN_DEVICE_URL: 'https://mfa.example.org' },
  ]
  for (const settings of same) {
    const [line, ...more] = mistakes(settings)
    assert.match(
      line ?? '',
      /^COUNTERSIGN_API_URL and COUNTERSIGN_DEVICE_URL: Both would be http/,
      JSON.stringify(settings),
    )
    assert.deepEqual(more, [])
  }
  const named = { COUNTERSIGN_DEVICE_URL: 'http://phone.localhost:8080' }
  assert.deepEqual(mistakes({ [api]: '127.0.0.1:8080', [device]: '127.0.0.2:8080', ...named }), [])
})

it('the contact of pushes is the device origin where the internet has it, what is set, or none', () => {
  const contact = (env: Record<string, string>) => readConfig(env).pushContact
  const url = (origin: string) => contact({ COUNTERSIGN_DEVICE_URL: origin })
  assert.equal(url('https://mfa.example.org'), 'https://mfa.example.org')
  assert.equal(url('https://mfa.example.org:8443'), 'https://mfa.example.org:8443')
  for (const origin of [
    'http://mfa.example.org',
    'https://localhost',
    'https://mfa',
    'https://mfa.local',
    'https://203.0.113.1',
  ])
    assert.equal(url(origin), undefined, origin)
  for (const set of ['mailto:mfa@example.org', 'https://example.org/contact'])
    assert.equal(contact({ COUNTERSIGN_PUSH_CONTACT: set }), set)
  assert.equal(
    contact({ COUNTERSIGN_DEVICE_URL: 'https://mfa.example.org', COUNTERSIGN_PUSH_CONTACT: 'off' }),
    undefined,
  )
})

it('a contact that no push service could use, and a host that is no name, are refused at the start', () => {
  const refused = {
    COUNTERSIGN_PUSH_CONTACT: [
      ...[
        'mfa@example.org',
        'mailto:mfa@localhost',
        'mailto:mfa@mfa.local',
        'mailto:mfa@intranet',
        'mailto:@example.org',
      ],
      ...[
        'http://example.org',
        'https://localhost/',
        'https://192.0.2.1',
        'https://me@example.org',
        'tel:123',
        'https://',
      ],
    ],
    COUNTERSIGN_PUSH_HOSTS: [
      'push',
      '10.1.2.3',
      'https://push.example.org',
      '*.example.org',
      'push.example.org:8443',
      '..org',
    ],
  }
  for (const [name, values] of Object.entries(refused)) {
    for (const value of values) {
      const [first, ...more] = mistakes({ [name]: value })
      assert.ok(first?.startsWith(`${name}: "${value}" is not like `) && more.length === 0, value)
    }
  }
  const { pushHosts } = readConfig({ COUNTERSIGN_PUSH_HOSTS: 'push.example.org, .push.example.org' })
  assert.deepEqual(pushHosts, ['push.example.org', '.push.example.org'])
})
