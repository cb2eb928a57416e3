import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { it } from 'node:test'
import { openForCommand } from '../../src/main.ts'
import { onEveryEngine, type TestDatabase } from '../support/engines.ts'
import { environmentOf, runCommand } from '../support/process.ts'
import { startTestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

/** The tables with their columns and indexes. */
async function layoutOf(database: TestDatabase): Promise<unknown> {
  if (database.url === 'sqlite') return sql(database, 'select type, name, sql from sqlite_master order by type, name')
  return [
    await sql(
      database,
      `select table_name, column_name, data_type, is_nullable from information_schema.columns
      where table_schema = 'public' order by table_name, ordinal_position`,
    ),
    await sql(database, `select indexdef from pg_indexes where schemaname = 'public' order by indexname`),
  ]
}

onEveryEngine((engine) => {
  it('a database that is opened again keeps its tables and what is in them', async (t) => {
    const server = await startTestServer(engine)
    t.after(() => server.stop())
    const before = [await layoutOf(server.database), await dump(server.database)]
    await server.restart()
    assert.deepEqual([await layoutOf(server.database), await dump(server.database)], before)
  })

  it('several commands that meet one empty database at once make its tables and its keys once', async (t) => {
    const database = await engine.create()
    t.after(() => database.drop())
    const environment = await environmentOf(database)
    const names = ['One', 'Two', 'Three', 'Four']
    const runs = await Promise.all(
      names.map((name) => runCommand(environment, 'org', 'create', '--json', '--name', name)),
    )
    for (const { code, errors } of runs) assert.equal(code, 0, errors)

    const keys = await sql(
      database,
      'select purpose, count(*) as count from data_keys group by purpose order by purpose',
    )
    assert.deepEqual(
      keys.map(({ purpose, count }) => [purpose, Number(count)]),
      [
        ['fields', 1],
        ['root', 1],
      ],
    )
    const file = `${database.data}/keyring.json`
    assert.equal(statSync(file).mode & 0o777, 0o400)
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(file, 'utf8')).keys), ['k1'])

    // Whatever each of them signed and encrypted, all of it is of one root.
    const verified = await runCommand(environment, 'audit', 'verify', '--json')
    assert.equal(JSON.parse(verified.output).ok, true, verified.output)
    const made = runs.map(({ output }) => JSON.parse(output).name)
    assert.deepEqual(made.toSorted(), names.toSorted())
  })

  it('a database that a newer version has changed is refused', async (t) => {
    const server = await startTestServer(engine)
    t.after(() => server.stop())
    await sql(server.database, `insert into migrations (name) values ('9999-of-the-future') returning name`)
    await assert.rejects(openForCommand(server.config), /newer version \(9999-of-the-future\)/)
    const environment = await environmentOf(server.database)
    const command = await runCommand(environment, 'org', 'create', '--name', 'Late')
    assert.equal(command.code, 1)
    assert.match(command.errors, /^The database was upgraded by a newer version/)
    assert.deepEqual(await sql(server.database, `select id from organizations where name = 'Late'`), [])
  })
})
