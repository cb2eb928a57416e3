import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { apiRoutes } from '../../src/http/api/routes.ts'
import { type Listener, startListener } from '../../src/http/server.ts'
import { Certificates } from '../../src/http/tls.ts'
import { testCertificate } from '../support/certificate.ts'
import { onEveryEngine, onSqlite } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { TlsFiles } from '../support/tls-files.ts'
import { exchange, Wire, type WireAnswer } from '../support/wire.ts'
import { type Asked, type Client, type ClientName, type Target, Thrown } from './client.ts'
import { php } from './php.ts'
import { askedBy, knows, learn, type Row } from './row.ts'
import { clients, table } from './table.ts'
import { known, newWorld, type World } from './world.ts'

/** How one client talks to a server: on one connection for all, or on one for each. */
class Line {
  readonly client: Client
  #kept: Wire | undefined

  constructor(client: Client) {
    this.client = client
  }

  async ask(target: Target, asked: Asked): Promise<WireAnswer> {
    const request = this.client.write(target, asked)
    if (!this.client.keepsAlive) return exchange(target.origin, request)
    this.#kept ??= await Wire.open(target.origin)
    const answer = await this.#kept.send(request).answer()
    if (answer.headers.connection === 'close') this.close()
    return answer
  }

  close(): void {
    this.#kept?.close()
    this.#kept = undefined
  }
}

/** What a client's caller gets: what it returns, or the exception. */
function outcomeOf({ client }: Line, asked: Asked, answer: WireAnswer): unknown {
  try {
    return client.parse(asked, answer)
  } catch (error) {
    if (!(error instanceof Thrown)) throw error
    const { type, code } = error
    return { thrown: type, code }
  }
}

async function replay(world: World, line: Line, row: Row): Promise<void> {
  await row.prepare?.(world)
  const asked = askedBy(line.client.name, row, world)
  const answer = await line.ask(world.target, asked)
  learn(world, row, answer.body)
  const expected = row.expect(world)
  const wanted = line.client.name in expected ? expected[line.client.name] : expected.all
  const said = `${line.client.name}: ${asked.method} ${asked.path}: ${answer.status} ${answer.body.slice(0, 300)}`
  assert.deepEqual(outcomeOf(line, asked, answer), wanted, said)
  assert.equal(answer.status, 200, said)
  if (line.client.keepsAlive) assert.equal(answer.headers.connection, 'keep-alive', said)
  if (row.returns === 'void') assert.deepEqual([answer.body, answer.headers['content-length']], ['', '0'], said)
}

/** The whole table by one client; what it has no method for, PHP does. */
async function replayTable(world: World, client: Client): Promise<void> {
  const [line, other] = [new Line(client), new Line(php)]
  try {
    for (const row of table) await replay(world, knows(client.name, row) ? line : other, row)
  } finally {
    line.close()
    other.close()
  }
}

const unknownId = '0123456789abcdef0123456789abcdef01234567'

/** How each client hands on a refusal: the C client has the text alone, and does not survive one of a GET. */
const refused = {
  php: () => 'ApiLoginTCException',
  python: (code: string) => (code === 'api.error.notfound.token' ? 'NoTokenException' : 'APIException'),
  java: (code: string) => (code === 'api.error.notfound.token' ? 'NoTokenLoginTCException' : 'ApiLoginTCException'),
  c: (_: string, method: string) => (method === 'GET' ? 'exit(1)' : 'LOGINTC_CLIENT_API_ERR'),
}

function refusalOf(name: ClientName, { method }: Asked, code: string): unknown {
  return { thrown: refused[name](code, method), code: name === 'c' ? undefined : code }
}

it('every route of the API is in the table, for each client that has a method for it', () => {
  const routes = apiRoutes.map(({ method, path }) => `${method} ${path}`).sort()
  const inC = ['GET /api/domains/:domainId/sessions/:sessionId', 'POST /api/domains/:domainId/sessions']
  for (const { name } of clients) {
    const endpoints = table.filter((row) => knows(name, row)).map(({ endpoint }) => endpoint)
    assert.deepEqual([...new Set(endpoints)].sort(), name === 'c' ? inC : routes, name)
  }
})

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  for (const client of clients) {
    it(`${client.name}: gets from every endpoint what it was written for`, async () => {
      await replayTable(await newWorld(server, client.name, server.apiUrl), client)
    })

    it(`${client.name}: hands on what each endpoint says of a wrong key`, async () => {
      const world = await newWorld(server, client.name, server.apiUrl)
      const line = new Line(client)
      const wrong = { ...world.target, apiKey: '0'.repeat(64) }
      const names = ['userId', 'sessionId', 'bypassCodeId', 'hardwareId', 'code', 'otp']
      for (const name of names) world.ids[name] = unknownId
      for (const row of table.filter((row) => knows(client.name, row))) {
        const asked = askedBy(client.name, row, world)
        const outcome = outcomeOf(line, asked, await line.ask(wrong, asked))
        assert.deepEqual(outcome, refusalOf(client.name, asked, 'api.error.unauthorized'), row.endpoint)
      }
      line.close()
    })

    it(`${client.name}: hands on what is wrong with a login`, async () => {
      const world = await newWorld(server, client.name, server.apiUrl)
      const { body: joined } = await server.call('POST', '/api/users', {
        body: { username: 'tokenless' },
        key: world.target.apiKey,
      })
      const path = `/api/domains/${known(world, 'domainId')}`
      await server.call('PUT', `${path}/users/${joined.id}`, { key: world.target.apiKey })
      for (const [at, username, code] of [
        [`${path}/sessions`, 'nobody', 'api.error.notfound.user'],
        [`${path}/sessions`, 'tokenless', 'api.error.notfound.token'],
        [`${path}/sessions`, '', 'api.error.notfound.user'],
        [`/api/domains/${unknownId}/sessions`, 'tokenless', 'api.error.notfound.domain'],
      ] as const) {
        const body = `{"user":{"username":"${username}"}, "attributes":[]}`
        const asked: Asked = { method: 'POST', path: at, body, returns: 'session' }
        const line = new Line(client)
        const answer = await line.ask(world.target, asked)
        assert.deepEqual(outcomeOf(line, asked, answer), refusalOf(client.name, asked, code), answer.body)
        line.close()
      }
    })
  }
})

// PHP and C speak nothing else; the listener is one more on the same server, whose devices go on without.
onSqlite((engine) => {
  let server: TestServer
  let files: TlsFiles
  let certificates: Certificates
  let listener: Listener
  before(async () => {
    server = await startTestServer(engine)
    files = new TlsFiles()
    const tls = [files.write('only', testCertificate)]
    const app = { ...server.app, config: { ...server.config, tls } }
    certificates = new Certificates(app, tls)
    const listen = { host: '127.0.0.1', port: 0 }
    listener = await startListener({ kind: 'api', app, listen, routes: apiRoutes, certificates })
  })
  after(async () => {
    await listener.close()
    certificates.close()
    files.remove()
    await server.stop()
  })

  for (const client of clients) {
    it(`${client.name}: gets the same over https`, async () => {
      await replayTable(await newWorld(server, client.name, `https://127.0.0.1:${listener.port}`), client)
    })
  }
})
