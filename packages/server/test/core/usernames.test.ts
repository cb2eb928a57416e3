import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { checkEmail, checkName, checkUsername, usernameKey } from '../../src/core/usernames.ts'

const badRequest = { code: 'api.error.badrequest' }

it('A05: case, width, ligatures and composition make no other person', () => {
  const same: string[][] = [
    ['jsmith', 'JSMITH', 'JSmith', 'ｊｓｍｉｔｈ', 'ＪＳＭＩＴＨ', '𝐣𝐬𝐦𝐢𝐭𝐡', 'ⓙⓢⓜⓘⓣⓗ', 'ʲˢᵐⁱᵗʰ'],
    ['jürgen', 'JÜRGEN', 'ju\u0308rgen', 'JU\u0308RGEN'],
    ['ﬁona', 'fiona', 'FIONA', 'ＦＩＯＮＡ'],
    ['ångström', 'ÅNGSTRÖM', '\u212bngström'],
    ['ω', 'Ω', '\u2126'],
    ['k', 'K', '\u212a'],
    ['ﷺ', 'صلى الله عليه وسلم'],
    ['x²', 'X2', 'x２'],
    ['①', '1'],
    ['ⅳ', 'IV', 'iv', 'Ⅳ'],
    ['a\u00a0b', 'A b', 'a\u3000b'],
  ]
  for (const spellings of same) assert.deepEqual(new Set(spellings.map(usernameKey)).size, 1, spellings.join())
})

it('A05: what is another name stays another person', () => {
  const others = [
    ['jsmith', 'jsmıth', 'jsmíth', 'jsmith ', ' jsmith', 'jsmith@realm', 'DOM\\jsmith', 'jsmith.', 'js mith', 'jsmіth'],
    ['strasse', 'straße'],
    ['a', '\u0430', '\u03b1'],
    ['0', 'o', '00'],
    ['1', 'l', '01'],
    ['"', "'", '`'],
    ['', ' '],
  ]
  for (const names of others) assert.equal(new Set(names.map(usernameKey)).size, names.length, names.join())
})

it('a Turkish, a Lithuanian or any other locale of the server changes no key', () => {
  assert.equal(usernameKey('ISTANBUL'), 'istanbul')
  assert.equal(usernameKey('İstanbul'), 'i\u0307stanbul'.normalize('NFKC'))
  assert.equal(usernameKey('I\u0307'), usernameKey('İ'))
})

it('A06: a key is its own key, so that no chain of spellings ends elsewhere', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (name) => {
      const key = usernameKey(name)
      assert.equal(usernameKey(key), key)
      assert.equal(usernameKey(name.normalize('NFD')), usernameKey(name.normalize('NFC')))
      assert.equal(usernameKey(name.normalize('NFKC')), key)
    }),
    { numRuns: 5_000 },
  )
})

it('A05: a name that passes keeps its outer characters, also when it is compared', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 8 }), (name) => {
      const accepted = (() => {
        try {
          return checkUsername(name)
        } catch {
          return undefined // refused, which is all right
        }
      })()
      if (accepted === undefined) return
      assert.equal(accepted, name, 'as it was written')
      const key = usernameKey(name)
      assert.equal(key, key.trim())
      assert.notEqual(key, '')
      assert.doesNotMatch(key, /[\p{Cc}\p{Cf}]/u)
    }),
    { numRuns: 5_000 },
  )
})

it('user names have 1 to 128 characters, none of them outer white space or invisible', () => {
  for (const name of [
    'a',
    'a b',
    "o'hara",
    '李',
    '🙂'.repeat(128),
    'a'.repeat(128),
    'DOM\\jo',
    'jo@example.org',
    '-',
    '%00',
  ]) {
    assert.equal(checkUsername(name), name)
  }
  const refused = [
    '',
    'a'.repeat(129),
    '🙂'.repeat(129),
    ' ',
    ' a',
    'a ',
    'a\t',
    '\u2003a',
    'a\u00a0',
    '\u3000',
    'a\u0000',
    'a\u001fb',
    'a\u007fb',
    'a\u009fb',
    'a\u200bb',
    'a\u200db',
    'a\u202eb',
    'a\u2060b',
    'a\ufeffb',
    'a\u00adb',
    'a\u{e0020}b',
    '\u00b4a', // becomes a space and an accent
  ]
  for (const name of refused) {
    assert.throws(() => checkUsername(name, 'field'), { ...badRequest, message: /^field: / }, JSON.stringify(name))
  }
})

it('a name is what was given or the fallback, and an address is one or nothing', () => {
  for (const none of [undefined, null, '']) {
    assert.equal(checkName(none, 'jo'), 'jo')
    assert.equal(checkEmail(none), '')
  }
  assert.equal(checkName(' Jo ', 'x'), ' Jo ')
  assert.equal(checkName('🙂'.repeat(256), 'x').length, 512)
  assert.throws(() => checkName('x'.repeat(257), 'x', 'field'), { ...badRequest, message: /^field: / })
  for (const address of ['a@b', 'jo+x@example.org', 'ü@ö.example', `${'x'.repeat(252)}@b`])
    assert.equal(checkEmail(address), address)
  for (const address of ['a', '@', 'a@', '@b', 'a@b@c', 'a b@c', 'a@b c', ' a@b', 'a@b\n', `${'x'.repeat(253)}@b`]) {
    assert.throws(() => checkEmail(address, 'field'), { ...badRequest, message: /^field: / }, address)
  }
})
