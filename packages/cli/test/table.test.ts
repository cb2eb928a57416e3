import assert from 'node:assert/strict'
import { it } from 'node:test'
import { table, textOf } from '../src/table.ts'

it('columns are aligned, a line as wide as the terminal stays, and a wider one is cut', () => {
  const rows = [
    { name: 'Jörg', note: null, tags: ['a', 'b'] },
    { name: '🦊', note: 'a\u001b[2J\n', tags: [] },
  ]
  const whole = ['name  note             tags', 'Jörg  -                a, b', '🦊     a\\u{1b}[2J\\u{a}  -']
  assert.deepEqual(table(rows, ['name', 'note', 'tags']), whole)
  assert.deepEqual(table(rows, ['name', 'note', 'tags'], 27), whole)
  assert.deepEqual(table(rows, ['name', 'note', 'tags'], 10), ['name  not…', 'Jörg  -  …', '🦊     a\\u…'])
  assert.deepEqual(table([], ['name' as never]), ['name'])
})

it('what is not there is a dash, and what has members shows them', () => {
  const values = [null, undefined, '', [], false, 0, { id: '1', name: 'VPN' }, [{ key: 'App', value: 'Wiki' }]]
  assert.deepEqual(values.map(textOf), ['-', '-', '-', '-', 'false', '0', '1 VPN', 'App Wiki'])
})
