import { Command, CommanderError } from 'commander'
import { adminCommand } from './admin.ts'
import { apiKeyCommand } from './api-key.ts'
import { auditCommand } from './audit.ts'
import { backupCommand } from './backup.ts'
import { bypassCommand } from './bypass.ts'
import { deviceCommand } from './device.ts'
import { domainCommand } from './domain.ts'
import { hardwareCommand } from './hardware.ts'
import { importCommand } from './import.ts'
import { keysCommand } from './keys.ts'
import { memberCommand } from './member.ts'
import { orgCommand } from './org.ts'
import { restoreCommand } from './restore.ts'
import { serveCommand } from './serve.ts'
import { sessionCommand } from './session.ts'
import { settingsCommand } from './settings.ts'
import { tokenCommand } from './token.ts'
import { userCommand } from './user.ts'

/** Runs the command that the arguments name. Returns the exit code; errors have then gone to standard error. */
export async function runProgram(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return report(error)
  }
}

function program(): Command {
  const program = new Command('countersign')
    .description('A self-hosted multi-factor authentication server.')
    .addCommand(serveCommand())
    .addCommand(orgCommand())
    .addCommand(settingsCommand())
    .addCommand(domainCommand())
    .addCommand(userCommand())
    .addCommand(memberCommand())
    .addCommand(tokenCommand())
    .addCommand(sessionCommand())
    .addCommand(bypassCommand())
    .addCommand(hardwareCommand())
    .addCommand(importCommand())
    .addCommand(adminCommand())
    .addCommand(apiKeyCommand())
    .addCommand(deviceCommand())
    .addCommand(auditCommand())
    .addCommand(backupCommand())
    .addCommand(restoreCommand())
    .addCommand(keysCommand())
    .addHelpText(
      'after',
      '\nSettings come from the environment, all with the prefix COUNTERSIGN_; see docs/configuration.md.',
    )
  for (const command of [program, ...program.commands.flatMap((noun) => [noun, ...noun.commands])]) {
    command.exitOverride().showHelpAfterError(`See ${nameOf(command)} --help.`)
  }
  return program
}

/** As it is typed: the program, the noun and the verb. */
function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name()
}

/** Errors go to standard error in a sentence; a stack is only of use where the mistake is ours. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1 // commander has said it already
  const expected = hasPlainMessage(error)
  process.stderr.write(`${expected ? withCause(error as Error) : ((error as Error)?.stack ?? String(error))}\n`)
  return 1
}

/** The sentence, and what the system underneath said. */
function withCause(error: Error): string {
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  const detail = cause.message || ('code' in cause ? String(cause.code) : '')
  return detail ? `${error.message} (${detail})` : error.message
}

/** Errors that are thrown as such, with a sentence for the operator; programming mistakes have classes of their own. */
function hasPlainMessage(error: unknown): boolean {
  return (
    error instanceof Error &&
    !(error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)
  )
}
