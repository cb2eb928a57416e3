import {
  type Compilable,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type SelectQueryBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Schema } from './schema.ts'

export type Dialect = 'sqlite' | 'postgres'

/** A statement with its values, ready for either engine. `Row` is what each returned row looks like. */
export interface Query<Row> {
  compile(dialect: Dialect): Compiled
  /** only for the type */
  readonly row?: Row
}

export interface Compiled {
  sql: string
  parameters: readonly unknown[]
}

/** Runs a query on one connection. A statement that changes rows returns those it names in RETURNING, nothing otherwise. */
export type Run = <Row>(query: Query<Row>) => Promise<Row[]>

/**
 * Locks the rows a SELECT returns until the unit ends, and waits for those that somebody else has locked, or leaves them out;
 * `share` only keeps them as they are, beside others who do. Nothing to do where units run one by one.
 */
export type Lock = <DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  how?: 'skip locked' | 'share',
) => SelectQueryBuilder<DB, TB, O>

type Build<Row> = (db: Kysely<Schema>, lock: Lock) => Compilable<Row>

// Kysely only builds and compiles; the engines run what it compiled (docs/decisions/0002).
const builders: Record<Dialect, Kysely<Schema>> = {
  sqlite: new Kysely({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
  postgres: new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  }),
}

const locks: Record<Dialect, Lock> = {
  sqlite: (query) => query,
  postgres(query, how) {
    if (how === 'share') return query.forShare()
    return how ? query.forUpdate().skipLocked() : query.forUpdate()
  },
}

/**
 * `with batch as materialized (…)`: the rows that a sweeper's statement is about, found and locked once. As a subquery
 * PostgreSQL may run it again for each row that it compares, with other rows each time.
 */
export function batch<Expression extends { materialized(): Expression }>(
  cte: (name: 'batch') => Expression,
): Expression {
  return cte('batch').materialized()
}

class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** Stands for a value that each execution brings. */
export type Value<Values> = <Name extends keyof Values & string>(name: Name) => Values[Name]

/**
 * Declares a statement that is compiled once an engine and then only filled in: building a query costs more than running
 * it. Usage: `statement<{ id: string }>()((db, value) => db.selectFrom(…).where('id', '=', value('id')))`.
 */
export function statement<Values extends object>() {
  return <Row>(build: (db: Kysely<Schema>, value: Value<Values>, lock: Lock) => Compilable<Row>) => {
    const compiled = new Map<Dialect, Compiled>()
    return (values: Values): Query<Row> => ({
      compile(dialect) {
        const { sql, parameters } = compiled.get(dialect) ?? compileOnce(compiled, dialect, build)
        return { sql, parameters: parameters.map((parameter) => fill(parameter, values)) }
      },
    })
  }
}

/** A statement whose shape depends on its input (a list of ids); built each time. */
export function query<Row>(build: Build<Row>): Query<Row> {
  return { compile: (dialect) => build(builders[dialect], locks[dialect]).compile() }
}

/** A statement as text, where tables and columns are data, too; with values, each `?` stands for the next one. */
export function text<Row>(sql: string, values: readonly unknown[] = []): Query<Row> {
  return { compile: (dialect) => ({ sql: dialect === 'postgres' ? numbered(sql, values) : sql, parameters: values }) }
}

function numbered(sql: string, values: readonly unknown[]): string {
  let number = 0
  return values.length === 0 ? sql : sql.replaceAll('?', () => `$${++number}`)
}

function compileOnce<Values, Row>(
  compiled: Map<Dialect, Compiled>,
  dialect: Dialect,
  build: (db: Kysely<Schema>, value: Value<Values>, lock: Lock) => Compilable<Row>,
): Compiled {
  // A placeholder has the type of the value it stands for, so that Kysely checks the column's type.
  const placeholder = ((name: string) => new Placeholder(name)) as unknown as Value<Values>
  const { sql, parameters } = build(builders[dialect], placeholder, locks[dialect]).compile()
  const result = { sql, parameters }
  compiled.set(dialect, result)
  return result
}

function fill(parameter: unknown, values: object): unknown {
  return parameter instanceof Placeholder ? values[parameter.name as keyof typeof values] : parameter
}
