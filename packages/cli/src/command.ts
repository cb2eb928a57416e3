import type { Actor, App } from '@countersign/server/main.ts'

/** What the server offers to the command line. */
type Server = typeof import('@countersign/server/main.ts')

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

/** The same as the operator of one organization. */
export function asOperator<T>(
  organizationId: string,
  work: (app: App, actor: Actor, server: Server) => Promise<T>,
): Promise<T> {
  return withApp(async (app, server) => work(app, await server.operatorOf(app, organizationId), server))
}

/** Every item of a list that comes in parts. */
export async function everything<Item>(
  read: (part: { after?: string }) => Promise<{ items: Item[]; next?: string }>,
): Promise<Item[]> {
  const items: Item[] = []
  for (let part: { after?: string } | undefined = {}; part; ) {
    const { items: more, next } = await read(part)
    items.push(...more)
    part = next === undefined ? undefined : { after: next }
  }
  return items
}

/** For scripts: one JSON array. For people: a table of these members, with a dash for what is not there. */
export function printTable<Row extends object>(
  rows: Row[],
  columns: (keyof Row & string)[],
  options: { json?: boolean },
): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(rows)}\n`)
    return
  }
  const lines = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '-')))]
  const widths = columns.map((_, index) => Math.max(...lines.map((cells) => cells[index]?.length ?? 0)))
  for (const cells of lines) {
    process.stdout.write(
      `${cells
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  }
}

/** For scripts: one compact JSON object and nothing else. For people: a line a member. */
export function print(value: object, options: { json?: boolean }): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(value)}\n`)
    return
  }
  const entries = Object.entries(value)
  const width = Math.max(...entries.map(([name]) => name.length))
  for (const [name, member] of entries) process.stdout.write(`${name.padEnd(width)}  ${String(member)}\n`)
}

/** Parses an option that is a whole number. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`"${text}" is not a whole number.`)
  return Number(text)
}
