// `countersign device` as a person or a script runs it, against a real server.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CountersignClient, type NewSession } from '@countersign/sdk/rest.ts'
import { onEveryEngine } from '../../server/test/support/engines.ts'
import { member } from '../../server/test/support/people.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'

const command = fileURLToPath(new URL('../../../bin/countersign', import.meta.url))

type DomainOfAcme = 'domainId' | 'pinDomainId'

onEveryEngine((engine) => {
  // Starting processes takes long, and what an authenticator says does not depend on the engine of its server.
  if (engine.name !== 'sqlite') return
  let server: TestServer
  let client: CountersignClient
  let users = 0
  before(async () => {
    // The commands have the machine's own clock, so the server must have it, too.
    server = await startTestServer(engine, { clock: { now: Date.now, advance: () => {} } })
    client = new CountersignClient({ url: server.apiUrl, apiKey: server.acme.apiKey })
  })
  after(() => server.stop())

  // Starting a process is what takes the time here, so several tests run at once, each with a user of its own.
  suite('countersign device', { concurrency: 4 }, () => {
    test('a token is activated and approves: one line of JSON each, and nothing else', async (context) => {
      const { username, store, device, activate, ask } = await newcomer(context)
      const activated = await activate('domainId')
      assert.match(activated.stdout, /^\{"state":"active","tid":"[0-9a-f]{40}"\}\n$/)
      assert.equal(statSync(store).mode & 0o777, 0o600)
      const { id, read } = await ask('domainId', {
        ipAddress: '203.0.113.7',
        attributes: [{ key: 'Application', value: 'Zo\u00eb' }],
      })
      const watched = await device('watch', '--answer', 'approve', '--once', '--json')
      assert.equal(watched.code, 0, watched.stderr)
      const line = `{"sid":"${id}","domain":"Acme VPN","user":"${username}","attributes":[{"key":"Application","value":"Zo\\u00eb"}],"ip":"203.0.113.7","answer":"approve","state":"approved"}\n`
      assert.equal(watched.stdout, line)
      assert.equal(await read(), 'approved')
    })

    test('code and PIN are read from standard input, in this order; the number is an option', async (context) => {
      const { username, store, device, issue, ask } = await newcomer(context)
      const code = await issue('pinDomainId')
      const options = ['--server', server.deviceUrl, '--code', '-', '--username', username, '--pin', '-', '--json']
      const activated = await device('activate', ...options, { input: `${code}\n482913\n` })
      assert.equal(activated.code, 0, activated.stderr)
      const { number = '', read } = await ask('pinDomainId', { numberMatching: true })
      const watched = await device('watch', '--answer', 'approve', '--once', '--pin', '-', '--number', number, {
        input: '482913\n',
      })
      assert.equal(watched.code, 0, watched.stderr)
      assert.equal(await read(), 'approved')
      assert.doesNotMatch(readFileSync(store, 'utf8'), /482913/)
    })

    test('a link activates by its secret or user name', async (context) => {
      const { username, device, issue } = await newcomer(context)
      const code = await issue('domainId')
      const link = `${server.deviceUrl}/a#c=${code}&u=%75${username.slice(1)}`
      assert.equal((await device('activate', '--link', link)).code, 0)
    })

    test('a wrong PIN approves nothing and ends the watch, so that it cannot revoke the token', async (context) => {
      const { device, activate, ask } = await newcomer(context)
      await activate('pinDomainId', '--pin', '482913')
      const { read } = await ask('pinDomainId')
      const watched = await device('watch', '--answer', 'approve', '--pin', '482914')
      assert.deepEqual([watched.code, watched.stdout], [1, ''])
      assert.match(watched.stderr, /try again/)
      assert.equal(await read(), 'pending')
    })

    test('a common PIN is warned about, and taken', async (context) => {
      const { activate } = await newcomer(context)
      const activated = await activate('pinDomainId', '--pin', '1234')
      assert.equal(activated.code, 0)
      assert.match(activated.stderr, /guessed first/)
    })

    test('deny denies', async (context) => {
      const { device, activate, ask } = await newcomer(context)
      await activate('domainId')
      const { read } = await ask('domainId')
      const watched = await device('watch', '--answer', 'deny', '--once')
      assert.match(watched.stdout, /"answer":"deny","state":"denied"\}\n$/)
      assert.equal(await read(), 'denied')
    })

    test('ask shows who asks and what the application claims, apart, with nothing a terminal obeys', async (context) => {
      const { device, activate, ask } = await newcomer(context)
      await activate('pinDomainId', '--pin', '482913')
      const { number, read } = await ask('pinDomainId', {
        numberMatching: true,
        attributes: [{ key: 'Domain', value: 'Other \u001b[31mBank' }],
      })
      const wrong = number === '000000' ? '000001' : '000000'
      const input = `?\na\n${wrong}\n482913\n${number}\n482913\n`
      const watched = await device('watch', '--answer', 'ask', '--once', { input })
      assert.equal(watched.code, 0, watched.stderr)
      assert.match(watched.stderr, /The server says:\n {2}Sign in to {2}Acme Bank\n {2}User {8}user\d+\n/)
      assert.match(watched.stderr, /The application says \(.*\):\n {2}Domain {2}Other \[31mBank\n/)
      assert.match(watched.stderr, /Tries left: 2\./)
      assert.ok(!watched.stderr.includes('\u001b'))
      assert.equal(await read(), 'approved')
    })

    test('ask takes "not me" for what it is', async (context) => {
      const { device, activate, ask } = await newcomer(context)
      await activate('domainId')
      const { read } = await ask('domainId')
      const watched = await device('watch', '--answer', 'ask', '--once', { input: 'n\n' })
      assert.match(watched.stdout, /"answer":"deny","state":"denied"/)
      assert.equal(await read(), 'denied')
      const next = await ask('domainId')
      assert.equal(await next.read(), 'denied', 'the token is suspended')
    })

    test('no answer is no answer: at the end of the input, and when the time is over', async (context) => {
      const { device, activate, ask } = await newcomer(context)
      await activate('domainId')
      const { read } = await ask('domainId')
      for (const options of [{ input: '' }, { input: 'x\n', keepOpen: true }]) {
        const watched = await device('watch', '--answer', 'ask', '--once', '--timeout', '1', options)
        assert.deepEqual([watched.code, watched.stdout], [1, ''])
      }
      assert.equal(await read(), 'pending')
    })

    test('a request that is cancelled while it is shown is over', async (context) => {
      const { device, activate, ask } = await newcomer(context)
      await activate('domainId')
      const { id } = await ask('domainId')
      const cancel = { on: /Sign-in request/, run: () => client.cancelSession(server.acme.domainId, id) }
      const options = { input: '', keepOpen: true, meanwhile: cancel }
      const watched = await device('watch', '--answer', 'ask', '--once', '--timeout', '5', options)
      assert.match(watched.stderr, /The request is over: cancelled\./)
      assert.deepEqual([watched.code, watched.stdout], [1, ''])
    })

    test('without --once the watch goes on, and a time-out ends it well', async (context) => {
      const { device, activate, ask } = await newcomer(context)
      await activate('domainId')
      const requests = [await ask('domainId'), await ask('domainId')]
      const watched = await device('watch', '--answer', 'approve', '--timeout', '5')
      assert.equal(watched.code, 0, watched.stderr)
      assert.equal(watched.stdout.trim().split('\n').length, 2)
      assert.match(watched.stderr, /at least one of them is not yours/)
      for (const { read } of requests) assert.equal(await read(), 'approved')
    })

    test('a revoked token is said, its keys are removed, and a watch without tokens ends with 1', async (context) => {
      const { userId, store, device, activate } = await newcomer(context)
      await activate('domainId')
      const revoke = { on: /Waiting for/, run: () => client.revokeToken(server.acme.domainId, userId) }
      const watched = await device('watch', '--answer', 'approve', { input: '', meanwhile: revoke })
      assert.equal(watched.code, 1)
      assert.match(watched.stderr, /revoked. Its keys are removed/)
      assert.deepEqual(JSON.parse(readFileSync(store, 'utf8')).tokens, [])
      assert.equal((await device('watch', '--answer', 'approve')).code, 1)
    })

    test('PIN, key and token are changed, rotated and removed', async (context) => {
      const { userId, store, device, activate, ask } = await newcomer(context)
      await activate('pinDomainId', '--pin', '482913')
      assert.equal((await device('pin', '--pin', '-', '--new-pin', '-', { input: '482913\n739104\n' })).code, 0)
      const before = keyIn(store)
      assert.equal((await device('rotate', '--pin', '739104')).code, 0)
      assert.notEqual(keyIn(store), before)
      const { read } = await ask('pinDomainId')
      assert.equal((await device('watch', '--answer', 'approve', '--once', '--pin', '739104')).code, 0)
      assert.equal(await read(), 'approved')
      assert.equal((await device('remove', '--json')).code, 0)
      await assert.rejects(client.getToken(server.acme.pinDomainId, userId), {
        code: 'api.error.notfound.token',
      })
    })

    test('several tokens live in one file; --tid tells which', async (context) => {
      const { device, activate } = await newcomer(context)
      await activate('domainId')
      await activate('pinDomainId', '--pin', '482913')
      const list = await device('list', '--json')
      const tokens: { tid: string; unlock: string }[] = JSON.parse(list.stdout)
      assert.deepEqual(
        tokens.map(({ unlock }) => unlock),
        ['none', 'pin'],
      )
      assert.match((await device('remove')).stderr, /Missing: --tid/)
      assert.equal((await device('remove', '--tid', tokens[0]?.tid ?? '')).code, 0)
      assert.equal(JSON.parse((await device('list', '--json')).stdout).length, 1)
    })

    test('commands at the same time lose no token', async (context) => {
      const { username, device, issue } = await newcomer(context)
      const codes = [await issue('domainId'), await issue('pinDomainId')]
      const activations = codes.map((code) =>
        device('activate', '--server', server.deviceUrl, '--code', code, '--username', username, '--pin', '482913'),
      )
      for (const { code, stderr } of await Promise.all(activations)) assert.equal(code, 0, stderr)
      assert.equal(JSON.parse((await device('list', '--json')).stdout).length, 2)
    })

    test('mistakes end with 1 and a sentence, and leave standard output empty', async (context) => {
      const { username, device, issue } = await newcomer(context)
      const code = await issue('domainId')
      const known = ['--server', server.deviceUrl, '--username', username]
      const cases: [string[], RegExp][] = [
        [['activate', ...known, '--code', '0000000000', '--json'], /code or the user name is wrong/],
        [['activate', ...known, '--code', 'x'], /ten letters and digits/],
        [['activate', ...known], /Missing: --code/],
        [['activate', '--server', server.deviceUrl, '--code', code], /Missing: --username/],
        [['activate', '--server', 'nonsense', '--code', code, '--username', username], /not the address of a server/],
        [['activate', '--server', 'http://127.0.0.1:1', '--code', code, '--username', username], /No answer from/],
        [['watch', '--answer', 'approve'], /no token here/],
        [['watch', '--answer', 'perhaps'], /Allowed choices/],
        [['watch'], /--answer/],
      ]
      for (const [args, sentence] of cases) {
        const [name = '', ...options] = args
        const { code, stdout, stderr } = await device(name, ...options)
        assert.deepEqual([code, stdout], [1, ''], args.join(' '))
        assert.match(stderr, sentence)
        assert.doesNotMatch(stderr, /\n +at /, 'no stack')
      }
    })

    test('a file that others can read, or that is none of ours, is refused', async (context) => {
      const { store, device, activate } = await newcomer(context)
      await activate('domainId')
      chmodSync(store, 0o644)
      assert.match((await device('list')).stderr, /chmod 600/)
      chmodSync(store, 0o600)
      writeFileSync(store, '{"tokens":')
      assert.match((await device('list')).stderr, /is not a file of tokens/)
      assert.equal(readFileSync(store, 'utf8'), '{"tokens":')
    })
  })

  /** A user with an empty store, who is a member of both of acme's domains. */
  async function newcomer(context: TestContext) {
    const username = `user${users++}`
    const userId = await member(server.app, server.acme, username)
    const folder = mkdtempSync(join(tmpdir(), 'countersign-device-'))
    context.after(() => rmSync(folder, { recursive: true }))
    const store = join(folder, 'tokens.json')

    const device = (name: string, ...args: (string | Input)[]) => {
      const words = args.filter((word) => typeof word === 'string')
      return run(
        ['device', name, ...words, '--store', store],
        args.find((word) => typeof word !== 'string'),
      )
    }
    const issue = async (domain: DomainOfAcme) => {
      const issued = await client.createToken(server.acme[domain], userId)
      assert.ok(issued.state === 'pending')
      return issued.code
    }
    const activate = async (domain: DomainOfAcme, ...more: string[]) => {
      const code = await issue(domain)
      return device('activate', '--server', server.deviceUrl, '--code', code, '--username', username, '--json', ...more)
    }
    const ask = async (domain: DomainOfAcme, more: Omit<NewSession, 'user'> = {}) => {
      const session = await client.createSession(server.acme[domain], { user: { username }, ...more })
      return { ...session, read: async () => (await client.getSession(server.acme[domain], session.id)).state }
    }
    return { username, userId, store, device, issue, activate, ask }
  }
})

interface Input {
  input: string
  /** standard input does not end after it */
  keepOpen?: boolean
  /** what happens as soon as standard error says this */
  meanwhile?: { on: RegExp; run: () => Promise<void> }
}

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

function run(args: string[], { input, keepOpen, meanwhile }: Input = { input: '' }): Promise<Ended> {
  const child = spawn(process.execPath, [command, ...args], { timeout: 30_000 })
  const ended: Ended = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    ended.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    const before = ended.stderr
    ended.stderr += text
    if (meanwhile?.on.test(ended.stderr) && !meanwhile.on.test(before))
      meanwhile.run().catch((error) => child.emit('error', error))
  })
  child.stdin.write(input)
  if (!keepOpen) child.stdin.end()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ended, code }))
  })
}

function keyIn(store: string): string {
  return JSON.parse(readFileSync(store, 'utf8')).tokens[0].key.d
}
