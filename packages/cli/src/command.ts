import type { Actor, App } from '@countersign/server/main.ts'
import type { Command } from 'commander'
import { type Column, table, textOf } from './table.ts'

/** What the server offers to the command line. */
export type Server = typeof import('@countersign/server/main.ts')

/** The server's code, loaded when a command needs it: an authenticator starts in half the time without. */
export function loadServer(): Promise<Server> {
  return import('@countersign/server/main.ts')
}

/**
 * Runs a short piece of work on the database that the environment names, beside a running server or without one. Throws when
 * there is nothing in it, unless told to create it.
 */
export async function withApp<T>(work: (app: App, server: Server) => Promise<T>, { create = false } = {}): Promise<T> {
  const server = await loadServer()
  const open = create ? server.openForCommand : server.openExisting
  const { app, close } = await open(server.readConfig(process.env))
  try {
    return await work(app, server)
  } finally {
    await close()
  }
}

/** The same as the operator of one organization, of the only one unless told. */
export function asOperator<T>(
  organizationId: string | undefined,
  work: (app: App, actor: Actor, server: Server) => Promise<T>,
): Promise<T> {
  return withApp(async (app, server) => {
    const id = organizationId ?? (await onlyOrganization(app, server))
    return work(app, await server.operatorOf(app, id), server)
  })
}

async function onlyOrganization(app: App, server: Server): Promise<string> {
  const [only, another] = await server.listOrganizations(app, 2)
  if (only && !another) return only.id
  throw new Error('There are several organizations: say which by --org ID, such as `countersign org list` shows it.')
}

/** What every command about an organization takes. */
export interface Options {
  org?: string
  json?: boolean
}

/** A command of a noun, with what all of them take. */
export function verb(noun: Command, usage: string, description: string): Command {
  return noun
    .command(usage)
    .description(description)
    .option('--org <id>', 'the organization; may be left out where there is only one')
    .option('--json', 'print JSON, on one line')
}

/** The items of a list that comes in parts: all of them, or the first so many. */
export async function everything<Item>(
  read: (part: { after?: string }) => Promise<{ items: Item[]; next?: string }>,
  most = Infinity,
): Promise<Item[]> {
  const items: Item[] = []
  for (let part: { after?: string } | undefined = {}; part; ) {
    const { items: more, next } = await read(part)
    items.push(...more)
    part = next === undefined || items.length >= most ? undefined : { after: next }
  }
  return items.slice(0, most)
}

/** For scripts: one JSON array. For people: a table. */
export function printTable<Row extends object>(
  rows: Row[],
  columns: readonly Column<Row>[],
  options: { json?: boolean },
): void {
  const lines = options.json ? [JSON.stringify(rows)] : table(rows, columns, process.stdout.columns)
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** For scripts: one compact JSON object and nothing else. For people: a line a member. */
export function print(value: object, options: { json?: boolean }): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(value)}\n`)
    return
  }
  const entries = Object.entries(value)
  const width = Math.max(...entries.map(([name]) => name.length))
  for (const [name, member] of entries) process.stdout.write(`${name.padEnd(width)}  ${textOf(member)}\n`)
}

/** Parses an option that is a whole number. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`"${text}" is not a whole number.`)
  return Number(text)
}
