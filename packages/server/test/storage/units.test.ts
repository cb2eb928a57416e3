import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
import { StorageUnavailable } from '../../src/storage/engines/engine.ts'
import { onEveryEngine, onPostgres } from '../support/engines.ts'
import { openRawEngine, type RawEngine, raw } from '../support/raw-engine.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((kind) => {
  let store: RawEngine
  before(async () => {
    store = await openRawEngine(kind)
  })
  after(() => store.close())
  afterEach(() => store.engine.unit(({ run }) => run(raw('delete from notes'))))

  const note = (id: string) => store.engine.unit(({ run }) => run(raw(`insert into notes (id) values ('${id}')`)))

  it('of many units at once one that fails leaves the others untouched', async () => {
    const units = Array.from({ length: 50 }, (_, number) => {
      if (number !== 25) return note(`note${String(number).padStart(2, '0')}`)
      return store.engine.unit(async ({ run }) => {
        await run(raw(`insert into notes (id) values ('lost')`))
        throw new Error('changed its mind')
      })
    })
    const ends = await Promise.allSettled(units)
    assert.deepEqual(
      ends.filter(({ status }) => status === 'rejected').map((end) => 'reason' in end && end.reason.message),
      ['changed its mind'],
    )
    const notes = await store.notes()
    assert.equal(notes.length, 49)
    assert.ok(!notes.includes('lost'))
  })

  it('a statement that fails undoes its unit only, and the next unit works', async () => {
    await note('one')
    const [again, other] = await Promise.allSettled([note('one'), note('other')])
    assert.equal(again.status, 'rejected')
    assert.equal(other.status, 'fulfilled')
    assert.deepEqual(await store.notes(), ['one', 'other'])
  })

  it('when a unit’s promise resolves, everybody can see what it wrote', async () => {
    for (let number = 0; number < 20; number++) {
      await Promise.all(
        ['a', 'b', 'c'].map(async (name) => {
          await note(`${name}${number}`)
          assert.equal((await sql(store.database, 'select id from notes where id = ?', `${name}${number}`)).length, 1)
        }),
      )
    }
  })

  it('a unit that fails is told so after what it may have seen is durable', async () => {
    const saw: unknown[] = []
    const writing = note('seen')
    const failing = store.engine.unit(async ({ run }) => {
      saw.push(...(await run(raw('select id from notes'))))
      throw new Error('no')
    })
    const rejected = failing.catch(async () => {
      if (saw.length > 0) assert.equal((await sql(store.database, 'select id from notes')).length, 1)
      return 'no'
    })
    assert.equal(await rejected, 'no')
    await writing
    if (kind.name === 'sqlite') assert.equal(saw.length, 1, 'the two did not share a commit')
  })

  it('a unit whose commit fails has not happened, and neither have those that share the commit', async () => {
    await store.engine.unit(async ({ run }) => {
      await run(raw('create table replies (note text references notes (id) deferrable initially deferred)'))
    })
    const units = [
      note('before'),
      store.engine.unit(({ run }) => run(raw(`insert into replies values ('nothing')`))),
      note('after'),
    ]
    const ends = await Promise.allSettled(units)
    // On PostgreSQL every unit has a transaction of its own.
    const expected = kind.name === 'sqlite' ? [false, false, false] : [true, false, true]
    assert.deepEqual(
      ends.map(({ status }) => status === 'fulfilled'),
      expected,
    )
    assert.deepEqual(await store.notes(), kind.name === 'sqlite' ? [] : ['after', 'before'])
    for (const end of kind.name === 'sqlite' ? ends : []) {
      assert.ok(end.status === 'rejected' && end.reason instanceof StorageUnavailable)
    }
    assert.deepEqual(await sql(store.database, 'select note from replies'), [])
    await note('next')
    assert.ok((await store.notes()).includes('next'))
  })

  it('a unit that swallows a failed statement is no success with half of its work', async () => {
    const unit = store.engine.unit(async ({ run }) => {
      await run(raw(`insert into notes (id) values ('half')`))
      await run(raw(`insert into notes (id) values ('half')`)).catch(() => {})
      return 'done'
    })
    // PostgreSQL gives the whole transaction up; SQLite undoes the statement alone.
    if (kind.name === 'postgres') {
      await assert.rejects(unit, StorageUnavailable)
      assert.deepEqual(await store.notes(), [])
    } else {
      assert.equal(await unit, 'done')
      assert.deepEqual(await store.notes(), ['half'])
    }
  })

  it('reads see no unit that is under way', async () => {
    const inside = Promise.withResolvers<void>()
    const seen = Promise.withResolvers<string[]>()
    const unit = store.engine.unit(async ({ run }) => {
      await run(raw(`insert into notes (id) values ('soon')`))
      inside.resolve()
      assert.deepEqual(await seen.promise, [])
    })
    await inside.promise
    seen.resolve(await store.notes())
    await unit
    assert.deepEqual(await store.notes(), ['soon'])
  })
})

onPostgres((kind) => {
  let store: RawEngine
  before(async () => {
    store = await openRawEngine(kind)
    // Deadlocks are looked for at once, instead of after a second.
    await sql(
      store.database,
      `do $$ begin execute 'alter database ' || current_database() || ' set deadlock_timeout = 10'; end $$`,
    )
  })
  after(() => store.close())

  const add = (id: string) => raw(`update notes set value = value + 1 where id = '${id}'`)

  it('a deadlock is run again and nobody hears of it', async () => {
    await store.engine.unit(({ run }) => run(raw(`insert into notes values ('left', 0), ('right', 0)`)))
    const starts = { left: Promise.withResolvers<void>(), right: Promise.withResolvers<void>() }
    let runs = 0
    const unit = (first: 'left' | 'right', second: 'left' | 'right') =>
      store.engine.unit(async ({ run }) => {
        runs++
        await run(add(first))
        starts[first].resolve()
        await starts[second].promise
        await run(add(second))
      })
    await Promise.all([unit('left', 'right'), unit('right', 'left')])
    assert.ok(runs > 2, 'there was no deadlock')
    const values = await store.engine.read(raw(`select value from notes where id in ('left', 'right')`))
    assert.deepEqual(values, [{ value: 2 }, { value: 2 }])
  })

  it('a serialization failure is run again', async () => {
    await store.engine.unit(({ run }) => run(raw(`insert into notes values ('shared', 0)`)))
    const snapshot = Promise.withResolvers<void>()
    const overtaken = Promise.withResolvers<void>()
    let runs = 0
    const slow = store.engine.unit(async ({ run }) => {
      runs++
      await run(raw('set transaction isolation level repeatable read'))
      await run(raw('select value from notes'))
      snapshot.resolve()
      await overtaken.promise
      await run(add('shared'))
    })
    await snapshot.promise
    await store.engine.unit(({ run }) => run(add('shared')))
    overtaken.resolve()
    await slow
    assert.equal(runs, 2)
    assert.deepEqual(await store.engine.read(raw(`select value from notes where id = 'shared'`)), [{ value: 2 }])
  })

  for (const [code, problem] of Object.entries({ 40001: 'a serialization failure', '40P01': 'a deadlock' })) {
    it(`${problem} that does not end is given up after five runs`, async () => {
      let runs = 0
      const unit = store.engine.unit(({ run }) => {
        runs++
        return run(raw(`do $$ begin raise exception 'again' using errcode = '${code}'; end $$`))
      })
      await assert.rejects(unit, StorageUnavailable)
      assert.equal(runs, 5)
    })
  }

  it('what is wrong with a statement is not run again, and no matter of the database’s being away', async () => {
    let runs = 0
    const unit = store.engine.unit(({ run }) => {
      runs++
      return run(raw('select nonsense'))
    })
    await assert.rejects(unit, (error: Error) => !(error instanceof StorageUnavailable))
    assert.equal(runs, 1)
  })
})
