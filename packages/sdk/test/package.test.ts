// The package as it ships: built, packed, installed into an empty project, and used as its README says.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import ts from 'typescript'
import { onSqlite } from '../../server/test/support/engines.ts'
import { type Cluster, startCluster } from '../../server/test/support/process.ts'
import { type Runtime, runtimes, skipOf, startProgram } from './runtimes.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../../..')
const readme = readFileSync(join(root, 'packages/sdk/README.md'), 'utf8')

onSqlite((engine) => {
  let cluster: Cluster
  let project: string
  let installed: string
  let environment: Record<string, string>

  before(async () => {
    const started = startCluster(engine)
    project = await installInEmptyProject()
    installed = join(project, 'node_modules/@countersign/sdk')
    cluster = await started
    const { acme, nodes } = cluster
    environment = {
      API_URL: nodes[0]?.apiUrl ?? '',
      DEVICE_URL: nodes[0]?.deviceUrl ?? '',
      API_KEY: acme.apiKey,
      DOMAIN: acme.domainId,
    }
  })
  after(async () => {
    rmSync(project, { recursive: true, force: true })
    await cluster.stop()
  })

  const program = (runtime: Runtime, file: string, extra: Record<string, string> = {}) =>
    startProgram(runtime, file, { cwd: project, env: { ...environment, ...extra } })

  test('the package brings nothing along, and holds what it says it does', () => {
    assert.deepEqual(readdirSync(join(project, 'node_modules/@countersign')), ['sdk'])
    assert.deepEqual(
      readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')),
      ['@countersign'],
    )
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    const own = JSON.parse(readFileSync(join(root, 'packages/sdk/package.json'), 'utf8'))
    assert.equal(manifest.version, own.version)
    assert.equal(manifest.private ?? manifest.dependencies ?? manifest.scripts, undefined)
    for (const conditions of Object.values<Record<string, string>>(manifest.exports))
      for (const file of Object.values(conditions)) assert.ok(readFileSync(join(installed, file)))
    for (const file of ['README.md', 'LICENSE']) assert.ok(readFileSync(join(installed, file), 'utf8').length > 1000)
    assert.deepEqual(
      globSync(join(installed, '**/*.ts')).filter((file) => !file.endsWith('.d.ts')),
      [],
    )
  })

  test('nothing in it is of one runtime only', () => {
    const files = globSync(join(installed, '**/*.{js,d.ts}'))
    assert.ok(files.length > 30)
    for (const file of files) {
      const { identifiers, texts } = tokensOf(readFileSync(file, 'utf8'))
      for (const name of ['process', 'Buffer', 'require', 'global', 'setImmediate', '__dirname', 'Deno', 'Bun'])
        assert.ok(!identifiers.has(name) && !texts.has(name), `${file} uses ${name}`)
      for (const text of texts) assert.doesNotMatch(text, /^(node:|@countersign)/, file)
    }
  })

  test('its methods are those that the README lists', () => {
    const client = readFileSync(join(installed, 'rest.js'), 'utf8').split('export class CountersignClient')[1] ?? ''
    const methods = [...client.matchAll(/^ {4}(?:async )?(\w+)\(.*\{$/gm)].map(([, name]) => name)
    const table = readme.slice(readme.indexOf('## All methods of'), readme.indexOf('## Writing an authenticator'))
    const listed = [...table.matchAll(/`(\w+)`/g)].map(([, name]) => name)
    assert.deepEqual(methods.filter((name) => name !== 'constructor').sort(), listed.sort())
  })

  test('the declarations are sound, and the examples fit them', async () => {
    const strict = [
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--target',
      'es2022',
      '--module',
      'nodenext',
    ]
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
    const check = (...args: string[]) => typeCheck(project, [...strict, ...types, ...args])
    await check('--lib', 'es2022', 'app.ts', 'errors.ts') // the application's half without the library dom
    writeFileSync(join(project, 'wrong.ts'), wrongUses)
    await assert.rejects(check('wrong.ts', ...examples().map(({ name }) => name)), ({ stdout }: { stdout: string }) => {
      assert.deepEqual(stdout.match(/^\S+\(\d+/gm), ['wrong.ts(5', 'wrong.ts(6', 'wrong.ts(7'])
      return true
    })
  })

  test('it needs no global that a browser lacks', async () => {
    writeFileSync(join(project, 'browser.mjs'), browserProgram)
    assert.equal(await program(browserLike, 'browser.mjs').output, 'OK activation_failed network\n')
  })

  for (const [name, runtime] of Object.entries(runtimes)) {
    test(`the README's examples do in ${name} what they say`, { skip: skipOf(runtime) }, async () => {
      const [, code = ''] = /^Activation code: (\S+)$/m.exec(await program(runtime, 'app.ts').output) ?? []
      const phone = program(runtime, 'phone.ts', { CODE: code })
      try {
        await phone.says('Answering for jane at Acme VPN')
        assert.equal(await program(runtime, 'app.ts').output, 'Welcome, jane\n')
        await phone.says('Approving: jane, Acme VPN, from 203.0.113.7')
      } finally {
        await phone.stop()
      }
      const managed = 'jane answers by .+\nsomebody else changed it: 60 seconds\nexported\n'
      assert.match(await program(runtime, 'manage.ts').output, new RegExp(`^${managed}$`))
      assert.match(await program(runtime, 'page.ts').output, /^On your phone, type \d{6}\nwithdrawn\n$/)
      assert.equal(await program(runtime, 'code.ts').output, 'first time: approved\nsecond time: denied\n')
      assert.equal(await program(runtime, 'errors.ts').output, 'not enrolled\n')
      // No fetch calls the port 9, so there is nothing to wait for.
      const closed = { API_URL: 'http://127.0.0.1:9' }
      assert.equal(await program(runtime, 'errors.ts', closed).output, 'no answer: nobody gets in\n')
      const members = (await program(runtime, 'members.ts').output).trim().split('\n')
      assert.deepEqual(
        members.map((line) => line.trim()),
        ['alice alice@example.org', 'bob bob@example.org', 'jane'],
      )
      await undo()
    })
  }

  /** So that the next runtime finds what this one found. */
  async function undo(): Promise<void> {
    const { acme, nodes } = cluster
    const jane = await nodes[0]?.call('GET', '/api/users?username=jane')
    const path = `/api/domains/${acme.domainId}/users/${jane?.body.id}/token`
    assert.equal((await nodes[0]?.call('DELETE', path))?.status, 200)
    const timeout = await nodes[0]?.call('PATCH', `/admin/v1/domains/${acme.domainId}`, {
      body: { requestTimeout: 120 },
    })
    assert.equal(timeout?.status, 200)
  }
})

async function installInEmptyProject(): Promise<string> {
  const project = mkdtempSync(join(tmpdir(), 'countersign-package-'))
  const dist = join(project, 'dist')
  mkdirSync(dist)
  await run(process.execPath, [join(root, 'scripts/build-sdk.ts'), '--out', dist])
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: dist })
  rmSync(dist, { recursive: true })
  writeFileSync(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}')
  const [{ filename }] = JSON.parse(stdout)
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${filename}`], { cwd: project })
  for (const { name, code } of examples()) writeFileSync(join(project, name), code)
  return project
}

/** The programs of the README: each begins with a comment that is its name. */
function examples(): { name: string; code: string }[] {
  const blocks = [...readme.matchAll(/^```ts\n(\/\/ (\S+)\n.*?)^```$/gms)]
  assert.equal(blocks.length, readme.match(/^```ts$/gm)?.length)
  return blocks.map(([, code = '', name = '']) => ({ name, code }))
}

function typeCheck(cwd: string, args: string[]) {
  return run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...args], { cwd })
}

const wrongUses = `import { CountersignClient, CountersignError } from '@countersign/sdk'
const client = new CountersignClient({ url: 'https://mfa.example.org', apiKey: 'k' })
const { state } = await client.getSession('d', 's')
const known: CountersignError['code'] = 'api.error.notfound.token'
if (state === 'aproved') console.log(known)
await client.createSession('d', { user: { name: 'jane' } })
import '@countersign/sdk/retry.js'
`

const browserLike: Runtime = { command: process.execPath, args: ['--experimental-vm-modules', '--no-warnings'] }

// The package in a realm of its own, which has the language and these globals of browsers, and nothing of Node.js.
const browserProgram = `import { readFileSync } from 'node:fs'
import { createContext, SourceTextModule } from 'node:vm'

const { API_URL, DEVICE_URL, API_KEY } = process.env
const web = { AbortController, AbortSignal, Headers, Request, Response, TextDecoder, TextEncoder, URL, URLSearchParams }
const context = createContext({ ...web, atob, btoa, clearTimeout, crypto, fetch, setTimeout })
const modules = new Map()

function load(identifier) {
  const code = () => readFileSync(new URL(identifier), 'utf8')
  if (!modules.has(identifier)) modules.set(identifier, new SourceTextModule(code(), { context, identifier }))
  return modules.get(identifier)
}

async function importThere(specifier) {
  const module = load(import.meta.resolve(specifier))
  await module.link((relative, from) => load(new URL(relative, from.identifier).href))
  await module.evaluate()
  return module.namespace
}

const { CountersignClient, CountersignError } = await importThere('@countersign/sdk')
const { Authenticator, memoryStore } = await importThere('@countersign/sdk/device')
const { status } = await new CountersignClient({ url: API_URL, apiKey: API_KEY }).ping()
const phone = new Authenticator({ server: DEVICE_URL, store: memoryStore() })
const { code } = await phone.begin('0000000000', { username: 'jane' }).catch((error) => error)
const nowhere = new CountersignClient({ url: 'http://127.0.0.1:9', apiKey: API_KEY, retryDelaysMs: [1] })
const lost = await nowhere.ping().catch((error) => error instanceof CountersignError && error.code)
console.log(status, code, lost)
`

/** The identifiers and the string literals of a program, without its comments. */
function tokensOf(code: string): { identifiers: Set<string>; texts: Set<string> } {
  const identifiers = new Set<string>()
  const texts = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) identifiers.add(node.text)
    if (ts.isStringLiteralLike(node)) texts.add(node.text)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('file.ts', code, ts.ScriptTarget.Latest))
  return { identifiers, texts }
}
