// Files that an operator imports beside a running server.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { onSqlite } from '../../server/test/support/engines.ts'
import { environmentOf, type Finished, runCommand, runCommandWith } from '../../server/test/support/process.ts'
import {
  container,
  type Encrypter,
  encrypter,
  keyPackage,
  passwordEncrypter,
} from '../../server/test/support/pskc-files.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { dump } from '../../server/test/support/sql.ts'

const hex = '3132333435363738393031323334353637383930'
const seed = Buffer.from(hex, 'hex')

onSqlite((engine) => {
  let server: TestServer
  let environment: Record<string, string>
  before(async () => {
    server = await startTestServer(engine)
    environment = await environmentOf(server.database)
  })
  after(() => server.stop())

  let files = 0
  const run = (what: 'hardware' | 'users', text: string, args: string[] = [], input = ''): Promise<Finished> => {
    const path = join(server.database.data, `file${++files}`)
    writeFileSync(path, text)
    return runCommandWith(input, environment, 'import', what, path, '--org', server.acme.id, ...args)
  }
  const serialNumbers = async () => {
    const { body } = await server.call('GET', '/api/hardware')
    return body.map((token: { serialNumber: string }) => token.serialNumber)
  }

  it('import hardware registers the tokens of a file beside a running server', async () => {
    const { code, output, errors } = await run('hardware', `A-1,${hex}\nA-2,${hex}\n`)
    assert.deepEqual([code, output, errors], [0, 'Imported: 2. Refused: 0.\n', ''])
    assert.deepEqual((await serialNumbers()).slice(-2).sort(), ['A-1', 'A-2'])
  })

  it('import hardware says of each refused line which and why, imports the others, and exits with 1', async () => {
    await run('hardware', `B-1,${hex}`)
    const file = `B-0,${hex}\nB-1,${hex}\nB-2,12\n,${hex}\nB-3,${hex}\n`
    const plain = await run('hardware', file, ['--dry-run'])
    assert.equal(plain.code, 1)
    assert.equal(
      plain.output,
      [
        'Would be imported: 2. Refused: 3.',
        '',
        'Line  Serial number  Refused because',
        '2     B-1            There is a hardware token with this serial number already.',
        '3     B-2            The seed has 1 bytes; a seed has 10 to 64.',
        '4     -              There is no serial number.',
        '',
      ].join('\n'),
    )
    const json = await run('hardware', file, ['--json'])
    assert.equal(json.code, 1)
    const { dryRun, imported, refused } = JSON.parse(json.output)
    assert.deepEqual([dryRun, imported, refused.map(({ line }: { line: number }) => line)], [false, 2, [2, 3, 4]])
    assert.doesNotMatch(plain.output + json.output, new RegExp(hex))
  })

  it('import hardware takes the key of a PSKC file from standard input, and only from there', async () => {
    const key = Buffer.alloc(16, 7)
    const sealed = encrypter(key)
    const locked = passwordEncrypter({ password: 'qwerty' })
    const fileOf = ({ header, secret }: Encrypter, serial: string) =>
      container([keyPackage({ serial, secret: secret(seed) })], header)
    const before = await dump(server.database)
    const wrongMac = /^\s*The MAC does not fit: the password or pre-shared key is not the one/
    const refusals: [Encrypter, string[], string, RegExp][] = [
      [sealed, [], '', /^The file is encrypted with the pre-shared key “K”, which is needed to read it\.\n$/],
      [sealed, ['--key', '-'], `${'00'.repeat(16)}\n`, wrongMac],
      [sealed, ['--key', key.toString('hex')], '', /^--key takes only "-": write it to standard input\.\n$/],
      [locked, ['--password', '-'], 'q\n', wrongMac],
      [locked, ['--password', '-'], '', /^\s*Missing: the line on standard input/],
      [locked, ['--key', '-', '--password', '-'], 'qwerty\n', /cannot be used with/],
    ]
    for (const [sender, args, input, message] of refusals) {
      const { code, output, errors } = await run('hardware', fileOf(sender, 'C'), args, input)
      assert.deepEqual([code, output], [1, ''], args.join(' '))
      assert.match(errors, message)
    }
    assert.deepEqual(await dump(server.database), before)
    const byKey = await run('hardware', fileOf(sealed, 'C-1'), ['--key', '-'], key.toString('hex'))
    const byPassword = await run('hardware', fileOf(locked, 'C-2'), ['--password', '-'], 'qwerty\n')
    for (const { code, output } of [byKey, byPassword]) {
      assert.deepEqual([code, output], [0, 'Imported: 1. Refused: 0.\n'])
    }
    assert.deepEqual((await serialNumbers()).slice(-2).sort(), ['C-1', 'C-2'])
  })

  it('import users creates the users of a file, tells who was there, and exits with 1 when a line is refused', async () => {
    const { domainId } = server.acme
    const file = 'name,email,username\nErin,erin@example.org,erin\n,,ALICE\n,nowhere,frank\u001b[2J\n'
    const tried = await run('users', file, ['--domain', domainId, '--dry-run'])
    const rest = [
      '',
      'Line  There already',
      '3     ALICE',
      '',
      'Line  User name       Refused because',
      '4     frank\\u{1b}[2J  username: A user name cannot contain invisible characters.',
      '',
    ]
    const counts = 'Would be created: 1. There already: 1. Would be added to the domain: 1. Refused: 1.'
    assert.deepEqual([tried.code, tried.output.split('\n')], [1, [counts, ...rest]])
    const { code, output } = await run('users', file, ['--domain', domainId, '--json'])
    const { created, added, existing } = JSON.parse(output)
    assert.deepEqual([code, created, added, existing], [1, 1, 1, [{ line: 3, username: 'ALICE' }]])
    const { body } = await server.call('GET', '/api/users?username=erin')
    assert.deepEqual([body.name, body.email, body.domains], ['Erin', 'erin@example.org', [domainId]])
    const again = await run('users', 'username\nerin\n')
    assert.deepEqual(
      [again.code, again.output],
      [0, 'Created: 0. There already: 1. Refused: 0.\n\nLine  There already\n2     erin\n'],
    )
  })

  it('what cannot be read, or is for nobody, is refused in a sentence and changes nothing', async () => {
    const before = await dump(server.database)
    const runs = [
      await run('users', 'who\nerin'),
      await run('users', 'username\nivan', ['--domain', '0'.repeat(40)]),
      await run('hardware', `X,${hex}`, ['--org', '0'.repeat(40)]),
      await runCommand(environment, 'import', 'users', '/nowhere/users.csv', '--org', server.acme.id),
    ]
    for (const { code, output, errors } of runs) {
      assert.deepEqual([code, output], [1, ''])
      assert.match(errors, /^[^\n]+\n$/)
    }
    assert.deepEqual(await dump(server.database), before)
  })
})
