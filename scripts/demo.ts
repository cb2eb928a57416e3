import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignClient, CountersignError } from '@countersign/sdk/rest.ts'

// The whole life of a token in one terminal: a real server on a temporary directory, the real REST API, the real authenticator.

const root = join(import.meta.dirname, '..')
const directory = mkdtempSync(join(tmpdir(), 'countersign-demo-'))
const [apiPort, devicePort] = [await freePort(), await freePort()]
const env = {
  ...process.env,
  COUNTERSIGN_DATA: join(directory, 'data'),
  COUNTERSIGN_DATABASE: 'sqlite',
  COUNTERSIGN_API_LISTEN: `127.0.0.1:${apiPort}`,
  COUNTERSIGN_DEVICE_LISTEN: `127.0.0.1:${devicePort}`,
}
const phone = join(directory, 'jane.json')
const deviceUrl = `http://localhost:${devicePort}`
const server = countersign(['serve'])

try {
  await tell()
} finally {
  server.child.kill('SIGTERM')
  await server.ended.catch(() => {}) // it was told to stop
  rmSync(directory, { recursive: true, force: true })
}

async function tell(): Promise<void> {
  say('A server starts, on an empty directory.')
  await server.said('Countersign is running')

  say('An organization gets an API key, and a domain that asks for a PIN.')
  const { id: org, apiKey } = await json(['org', 'create', '--name', 'Acme'])
  const domain = await json([
    'domain',
    'create',
    '--org',
    org,
    '--name',
    'Acme VPN',
    '--type',
    'API',
    '--key-type',
    'PIN',
  ])
  const api = new CountersignClient({ url: `http://localhost:${apiPort}`, apiKey })

  say('The application creates a user, jane, and a token for her.')
  const jane = await api.createUser({ username: 'jane', name: 'Jane Doe', email: 'jane@example.org' })
  await api.addMember(domain.id, jane.id)
  const token = await api.createToken(domain.id, jane.id)
  show(token)

  say('Jane types the code into her authenticator and chooses a PIN. The code is used up, the token is active.')
  const code = token.state === 'pending' ? token.code : ''
  show(
    await json([
      'device',
      'activate',
      '--server',
      deviceUrl,
      '--code',
      code,
      '--username',
      'jane',
      '--store',
      phone,
      '--pin',
      '482913',
    ]),
  )
  show(await api.getToken(domain.id, jane.id))

  say('Jane logs in. The application creates a session; her phone shows it, and she approves with her PIN.')
  await answer(api, domain.id, 'approve', '482913')

  say('Somebody else has her password. She denies, and the application reads that.')
  await answer(api, domain.id, 'deny', '482913')

  say('The phone is lost: the application deletes the token. From now on nothing authenticates by it.')
  await api.revokeToken(domain.id, jane.id)
  try {
    await api.createSession(domain.id, { user: { username: 'jane' } })
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    show({ status: error.status, code: error.code })
  }

  say('Everything stands in the audit log, which can be checked.')
  show(await json(['audit', 'verify']))
}

async function answer(api: CountersignClient, domainId: string, verdict: string, pin: string): Promise<void> {
  const watching = countersign([
    'device',
    'watch',
    '--store',
    phone,
    '--answer',
    verdict,
    '--pin',
    pin,
    '--once',
    '--timeout',
    '30',
  ])
  const attributes = [{ key: 'Application', value: 'Quarterly report' }]
  const session = await api.createSession(domainId, {
    user: { username: 'jane' },
    attributes,
    ipAddress: '203.0.113.7',
  })
  show(session)
  const verdictRead = await api.waitForSession(domainId, session.id, { timeoutMs: 30_000 })
  process.stdout.write(`    the phone: ${(await watching.ended).trim()}\n`)
  show(verdictRead)
}

function say(text: string): void {
  process.stdout.write(`\n${text}\n`)
}

function show(value: object): void {
  process.stdout.write(`    ${JSON.stringify(value)}\n`)
}

async function json(args: string[]) {
  return JSON.parse(await countersign([...args, '--json']).ended)
}

/** One run of the command line; `ended` resolves with what it printed. */
function countersign(args: string[]) {
  const child = spawn(process.execPath, [join(root, 'bin/countersign'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  let heard = () => {}
  child.stdout.on('data', (chunk) => {
    output += chunk
    heard()
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const ended = new Promise<string>((resolve, reject) => {
    child.on('close', (status) => (status === 0 ? resolve(output) : reject(new Error(errors || `${args[0]} failed`))))
  })
  const said = (words: string) =>
    Promise.race([
      ended,
      new Promise<void>((resolve) => {
        heard = () => output.includes(words) && resolve()
        heard()
      }),
    ])
  return { child, ended, said }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
