import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { createKeyring, readKeyring } from '../../src/core/keyring.ts'

let directory: string
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-test-'))
})
after(() => rmSync(directory, { recursive: true }))

it('a new keyring holds one key of 32 bytes and can be read by its owner alone', () => {
  const file = join(directory, 'new', 'keyring.json')
  const { active, keys } = createKeyring(file)
  assert.equal(active, 'k1')
  assert.deepEqual(
    [...keys].map(([id, key]) => [id, key.length]),
    [['k1', 32]],
  )
  assert.equal(statSync(file).mode & 0o777, 0o400)
  assert.equal(statSync(join(directory, 'new')).mode & 0o777, 0o700)
  assert.deepEqual(readKeyring(file), { active, keys })
})

it('whoever comes second gets the first one’s keys, and leaves nothing behind', () => {
  const file = join(directory, 'twice', 'keyring.json')
  const first = createKeyring(file)
  const text = readFileSync(file, 'utf8')
  assert.deepEqual(createKeyring(file), first)
  assert.equal(readFileSync(file, 'utf8'), text)
  assert.deepEqual(readdirSync(join(directory, 'twice')), ['keyring.json'])
})

it('two new keyrings have nothing in common', () => {
  const [one, two] = ['one', 'two'].map((name) => createKeyring(join(directory, name)).keys.get('k1'))
  assert.notDeepEqual(one, two)
})

it('a keyring that others on the machine can read or write is refused, with the remedy', () => {
  const file = join(directory, 'open.json')
  createKeyring(file)
  for (const mode of [0o440, 0o404, 0o410, 0o420, 0o604, 0o644, 0o777]) {
    chmodSync(file, mode)
    assert.throws(() => readKeyring(file), {
      message: `${file} can be read by others on this machine. Run: chmod 400 ${file}`,
    })
  }
  for (const mode of [0o400, 0o600]) {
    chmodSync(file, mode)
    assert.equal(readKeyring(file).active, 'k1')
  }
})

it('several keys can be there, in either alphabet of base64; the active one is named', () => {
  const key = Buffer.from('fb'.repeat(32), 'hex')
  const keys = { k1: key.toString('base64'), k2: key.toString('base64url') }
  const keyring = readKeyring(written('several.json', JSON.stringify({ active: 'k2', keys })))
  assert.equal(keyring.active, 'k2')
  for (const id of ['k1', 'k2']) assert.deepEqual(Buffer.from(keyring.keys.get(id) ?? []), key)
})

it('a keyring that is none is refused in words that hold nothing of it', () => {
  const key = randomBytes(32).toString('base64')
  const broken = {
    'a file cut off': `{"active":"k1","keys":{"k1":"${key.slice(0, 20)}`,
    'a key without quotes': `{"active":"k1","keys":{"k1":${key}}}`,
    'a comma too many': `{"active":"k1","keys":{"k1":"${key}",}}`,
    'other quotes': `{'active':'k1','keys':{'k1':'${key}'}}`,
    'the key alone': key,
    'no keys': '{"active":"k1"}',
    null: 'null',
    'a list': '[]',
    'a number for a key': '{"active":"k1","keys":{"k1":1}}',
    'a short key': `{"active":"k1","keys":{"k1":"${key.slice(0, 40)}"}}`,
    'a long key': `{"active":"k1","keys":{"k1":"${key.slice(0, 42)}AAAA"}}`,
    'an active key that is not there': `{"active":"k2","keys":{"k1":"${key}"}}`,
    nothing: '',
  }
  for (const [name, text] of Object.entries(broken)) {
    const file = written('broken.json', text)
    assert.throws(
      () => readKeyring(file),
      (error: Error) => {
        const said = `${error.stack} ${String(error.cause)}`
        for (let from = 0; from + 5 <= key.length; from++)
          assert.ok(!said.includes(key.slice(from, from + 5)), `${name}: ${said}`)
        return error.message.startsWith(`${file}`)
      },
      name,
    )
  }
})

it('a missing keyring is not made by reading it', () => {
  const file = join(directory, 'missing.json')
  assert.throws(() => readKeyring(file), { code: 'ENOENT' })
  assert.equal(existsSync(file), false)
})

function written(name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}
