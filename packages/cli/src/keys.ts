import { setTimeout as delay } from 'node:timers/promises'
import type { App, KeyList, Rotation, RotationStep } from '@countersign/server/main.ts'
import { Command } from 'commander'
import { print, withApp } from './command.ts'
import { bar, startProgress } from './progress.ts'

interface RotateOptions {
  keyring?: boolean
  dropOld?: boolean
  vapid?: boolean
  json?: boolean
}

/** `countersign keys …` */
export function keysCommand(): Command {
  const keys = new Command('keys').description('The keys that encrypt what is secret in the database.')
  keys
    .command('list')
    .description('Show the keys in the database and in the keyring, by name.')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      const list = await withApp((app, server) => server.listKeys(app))
      process.stdout.write(options.json ? `${JSON.stringify(list)}\n` : tableOf(list))
    })
  keys
    .command('rotate')
    .description('Encrypt every secret in the database under a new key, while servers run. Run again, it continues.')
    .option('--keyring', 'instead add a key to the keyring file and wrap the keys in the database by it')
    .option('--drop-old', 'with --keyring: add none, but remove those from the file that wrap nothing any more')
    .option('--vapid', 'instead add a key that pushes are signed with; devices move to it when they are opened')
    .option('--json', 'print one JSON object')
    .action(rotate)
  return keys
}

async function rotate(options: RotateOptions): Promise<void> {
  if (options.dropOld && !options.keyring) throw new Error('--drop-old goes with --keyring.')
  if (options.vapid && options.keyring) throw new Error('--vapid and --keyring are two rotations.')
  await withApp(async (app, server) => {
    if (options.vapid) return print(await server.rotateVapidKey(app), options)
    if (options.dropOld) return reportDropped(app, await server.dropOldKeys(app), options)
    if (options.keyring) return reportKeyring(app, await server.rotateKeyring(app), options)
    if (!options.json)
      process.stderr.write('Until every server uses the new key and no other, this takes 90 seconds at least.\n')
    const progress = startProgress()
    const onStep = (step: RotationStep) => progress.show(textOf(step))
    try {
      const rotation = await server.rotateKeys(app, { onStep, wait: async (ms) => void (await delay(ms)) })
      progress.end()
      reportRotation(rotation, options)
    } finally {
      progress.end()
    }
  })
}

function textOf(step: RotationStep): string {
  if (step.step === 'encrypting') return bar(step.done, step.total)
  return `waiting ${Math.ceil(step.leftMs / 1_000)} s, until every server knows the new key and uses it`
}

function reportRotation({ key, removed, fields, unreadable }: Rotation, options: RotateOptions): void {
  print({ key, fields, removed, unreadable }, options)
  if (unreadable.length === 0) return
  throw new Error(
    `No key opens these fields, and the keys that they name stay: ${unreadable.slice(0, 10).join(', ')}. Somebody has changed ` +
      'them: revoke what they belong to. Everything else is under the new key, and the next rotation removes what nothing names.',
  )
}

function reportKeyring(app: App, { active, before }: { active: string; before: string[] }, options: RotateOptions) {
  print({ keyring: app.config.keyring, active, before }, options)
  if (options.json) return
  process.stderr.write(
    'Copy this file to every node now: with the old one a node does not start.\n' +
      `Backups from before need ${before.join(' and ')}, which is still in the file. When the last of them is gone:\n` +
      '  countersign keys rotate --keyring --drop-old\n',
  )
}

function reportDropped(app: App, { active, dropped }: { active: string; dropped: string[] }, options: RotateOptions) {
  print({ keyring: app.config.keyring, active, dropped }, options)
  if (options.json || dropped.length === 0) return
  process.stderr.write(
    `Copy this file to every node. Backups that need ${dropped.join(' or ')} can be restored with an older copy only.\n`,
  )
}

function tableOf({ keys, keyring }: KeyList): string {
  const inDatabase = keys.map(({ id, purpose, state, wrappedBy, createdAt }) => [
    id,
    purpose,
    state,
    wrappedBy,
    createdAt,
  ])
  const inFile = keyring.map(({ id, active, wraps }) => [id, active ? 'active' : 'kept', `wraps ${wraps} of them`])
  const head = [['key', 'for', 'state', 'wrapped by', 'created at'], ...inDatabase]
  return `${columnsOf(head)}\n${columnsOf([['keyring', '', ''], ...inFile])}`
}

function columnsOf(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const line = (row: string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return rows.map((row) => `${line(row)}\n`).join('')
}
