import type { Settings } from '@countersign/server/main.ts'
import { Command } from 'commander'
import { asOperator, type Options, print, verb, wholeNumber } from './command.ts'

/** The same members; what has no limit is `off` here, since Commander takes null for an option without a value. */
type SettingOptions = { [Name in keyof Settings]?: number | 'off' }

/** `countersign settings …` */
export function settingsCommand(): Command {
  const settings = new Command('settings').description('Limits of an organization, at or below the server’s own.')
  verb(settings, 'show', 'Show the settings.').action(show)
  verb(settings, 'update', 'Change settings; the server applies them from the next request on.')
    .option('--sessions-per-day-max <number>', 'sessions for one user in a day, 5 to 1000', wholeNumber)
    .option('--pending-sessions-max <number>', 'requests that wait at one token at a time, 1 to 3', wholeNumber)
    .option(
      '--activation-code-minutes-max <minutes>',
      'longest life of new activation codes, 5 to 525600; "off" for what the domain says',
      minutesOrOff,
    )
    .option(
      '--bypass-code-minutes-max <minutes>',
      'longest life of new bypass codes, 5 to 525600, so that each has an end; "off" for any',
      minutesOrOff,
    )
    .option('--wrong-bypass-codes-max <number>', 'wrong ones in a row that lock the codes, 2 to 5', wholeNumber)
    .option('--wrong-one-time-passwords-max <number>', 'wrong ones in a row that lock the codes, 2 to 10', wholeNumber)
    .action(update)
  return settings
}

async function show(options: Options): Promise<void> {
  print(await asOperator(options.org, (app, actor, server) => server.getSettings(app, actor)), options)
}

async function update({ org, json = false, ...given }: Options & SettingOptions): Promise<void> {
  const entries = Object.entries(given)
  if (entries.length === 0) throw new Error('Say what to change: see `countersign settings update --help`.')
  const changes = Object.fromEntries(entries.map(([name, value]) => [name, value === 'off' ? null : value]))
  print(await asOperator(org, (app, actor, server) => server.updateSettings(app, actor, changes)), { json })
}

function minutesOrOff(text: string): number | 'off' {
  return text === 'off' ? text : wholeNumber(text)
}
