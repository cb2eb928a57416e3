import type { Actor, App } from '@countersign/server/main.ts'
import { Command } from 'commander'
import { asOperator, everything, type Options, print, printTable, type Server, verb, wholeNumber } from './command.ts'
import { given } from './device-activate.ts'
import { Terminal } from './device-terminal.ts'
import { hardwareIdOf, userIdOf } from './names.ts'

interface ListOptions extends Options {
  startsWith?: string
  assigned?: boolean
}

interface CreateOptions extends Options {
  type: string
  timeStep: number
  seed: string
  alias?: string
}

/** `countersign hardware …` */
export function hardwareCommand(): Command {
  const hardware = new Command('hardware').description(
    'Hardware tokens, each named by id or serial number. For files of them see `countersign import hardware`.',
  )
  verb(hardware, 'list', 'List the hardware tokens in the order of their serial numbers.')
    .option('--starts-with <text>', 'how the serial number begins')
    .option('--assigned', 'only those that somebody has')
    .option('--no-assigned', 'only those that nobody has')
    .action(list)
  verb(hardware, 'show <token>', 'Show a hardware token.').action(
    onToken((app, actor, { server, hardwareId }) => server.getManagedHardware(app, actor, { hardwareId })),
  )
  verb(hardware, 'create <serialNumber>', 'Register a hardware token.')
    .option('--type <type>', 'TOTP6 or TOTP8', 'TOTP6')
    .option('--time-step <seconds>', '30 or 60', wholeNumber, 30)
    .requiredOption('--seed <->', 'read the seed, in hexadecimal, from standard input')
    .option('--alias <alias>', 'what people call it')
    .action(create)
  verb(hardware, 'update <token>', 'Rename a hardware token.')
    .requiredOption('--alias <alias>', 'what people call it')
    .action((named: string, { alias, ...options }: Options & { alias: string }) =>
      onToken((app, actor, { server, hardwareId }) => server.updateManagedHardware(app, actor, { hardwareId, alias }))(
        named,
        options,
      ),
    )
  verb(hardware, 'delete <token>', 'Forget a hardware token, whoever has it.').action(
    onToken(async (app, actor, { server, hardwareId }) => {
      await server.deleteHardwareToken(app, actor, { hardwareId })
      return { id: hardwareId, deleted: true }
    }),
  )
  verb(
    hardware,
    'assign <token> <user>',
    'Give a hardware token to a user, in the place of one that the user had.',
  ).action((named: string, user: string, options: Options) =>
    onToken(async (app, actor, { server, hardwareId }) => {
      await server.assignHardwareToken(app, actor, { hardwareId, userId: await userIdOf(app, actor, user) })
      return server.getManagedHardware(app, actor, { hardwareId })
    })(named, options),
  )
  verb(hardware, 'unassign <token>', 'Take a hardware token away from whoever has it.').action(onToken(unassign))
  verb(hardware, 'resync <token> <otp1> <otp2>', 'Find its clock by two passwords that it shows in a row.').action(
    (named: string, otp1: string, otp2: string, options: Options) =>
      onToken((app, actor, { server, hardwareId }) =>
        server.resyncHardwareToken(app, actor, { hardwareId, otp1, otp2 }),
      )(named, options),
  )
  return hardware
}

async function list({ startsWith, assigned, ...options }: ListOptions): Promise<void> {
  const filter = { ...(startsWith && { q: startsWith }), ...(assigned !== undefined && { assigned }), limit: 1_000 }
  const tokens = await asOperator(options.org, (app, actor, server) =>
    everything((part) => server.listManagedHardware(app, actor, { ...part, ...filter })),
  )
  printTable(tokens, ['id', 'serialNumber', 'alias', 'type', 'timeStep', 'syncState', 'user'], options)
}

async function create(serialNumber: string, { org, json = false, seed, ...fields }: CreateOptions): Promise<void> {
  const hex = await readSeed(seed)
  const { type, timeStep, alias } = fields
  const input = { serialNumber, type, timeStep, seed: hex, ...(alias !== undefined && { alias }) }
  print(await asOperator(org, (app, actor, server) => server.createManagedHardware(app, actor, input)), { json })
}

/** What a command line holds others on the machine can read: a seed comes by standard input only. */
async function readSeed(option: string): Promise<string> {
  if (option !== '-') throw new Error('--seed takes only "-": write it to standard input.')
  const terminal = new Terminal()
  try {
    return ((await given(terminal, option, 'The seed, in hexadecimal: ')) ?? '').trim()
  } finally {
    terminal.close()
  }
}

interface About {
  server: Server
  hardwareId: string
}

async function unassign(app: App, actor: Actor, { server, hardwareId }: About): Promise<object> {
  const { user: userId } = await server.getManagedHardware(app, actor, { hardwareId })
  if (userId !== null) await server.unassignHardwareToken(app, actor, { hardwareId, userId })
  return server.getManagedHardware(app, actor, { hardwareId })
}

/** An action on the hardware token that the first argument names, which prints what it returns. */
function onToken(work: (app: App, actor: Actor, about: About) => Promise<object>) {
  return async (named: string, options: Options): Promise<void> => {
    const shown = await asOperator(options.org, async (app, actor, server) =>
      work(app, actor, { server, hardwareId: await hardwareIdOf(app, actor, named) }),
    )
    print(shown, options)
  }
}
