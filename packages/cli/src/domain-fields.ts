import type { DomainFields } from '@countersign/server/main.ts'
import type { Command } from 'commander'
import { wholeNumber } from './command.ts'

/** What the rules of a domain are called on the command line; what is absent stays as it is, or is the default. */
export interface FieldOptions {
  type?: string
  keyType?: string
  minLength?: number
  platformUnlock?: boolean
  requestTimeout?: number
  maxAllowedRetries?: number
  activationCodeExpiration?: number
  activationCodeMinutes?: number | 'off'
  numberMatching?: string
  onFraud?: string
  requestPolling?: boolean
  bypass?: boolean
  bypassCountsAsUnlock?: boolean
  otp?: boolean
  allowedNetwork?: string[]
  anyNetwork?: boolean
}

/** Gives a command the options that set rules of a domain. */
export function addFieldOptions(command: Command): Command {
  return command
    .option('--type <type>', 'RADIUS, API, PAM, SAML, OIDC or OTHER')
    .option('--key-type <type>', 'how a phone is unlocked to approve: ONE_STEP, PIN, PASSCODE or BIOMETRIC')
    .option(
      '--min-length <characters>',
      'of a PIN or passcode, 4 to 16; default 4 for PIN, 8 for PASSCODE',
      wholeNumber,
    )
    .option('--platform-unlock', 'let a fingerprint or the like of the device stand in for a PIN or passcode')
    .option('--no-platform-unlock', 'ask for the PIN or passcode itself')
    .option('--request-timeout <seconds>', 'life of a request, 30 to 600', wholeNumber)
    .option('--max-allowed-retries <number>', 'wrong PINs in a row that revoke a token, 1 to 10', wholeNumber)
    .option('--activation-code-expiration <days>', 'life of an activation code, 1 to 365', wholeNumber)
    .option('--activation-code-minutes <minutes>', 'the same in minutes, 5 to 1440; "off" for the days', minutesOrOff)
    .option('--number-matching <rule>', 'off, whenAsked or required')
    .option('--on-fraud <reaction>', 'what "not me" does to the token: suspend, notify or revoke')
    .option('--request-polling', 'let devices poll while open')
    .option('--no-request-polling', 'tell devices not to poll while open')
    .option('--bypass', 'switch bypass codes on')
    .option('--no-bypass', 'switch bypass codes off')
    .option('--bypass-counts-as-unlock', 'let wrong bypass codes count like wrong PINs, as LoginTC does')
    .option('--no-bypass-counts-as-unlock', 'let them count for themselves')
    .option('--otp', 'switch hardware tokens on')
    .option('--no-otp', 'switch hardware tokens off')
    .option('--allowed-network <range...>', 'the only addresses and CIDR ranges that sessions may be created from')
    .option('--any-network', 'let sessions be created from everywhere')
}

/** The same as the server knows them. */
export function fieldsOf(options: FieldOptions): DomainFields {
  const { activationCodeMinutes, allowedNetwork, anyNetwork, ...switches } = options
  const { platformUnlock, requestPolling, bypass, otp, ...fields } = switches
  const minutes = activationCodeMinutes === 'off' ? null : activationCodeMinutes
  return {
    ...fields,
    ...(minutes !== undefined && { activationCodeMinutes: minutes }),
    ...(platformUnlock !== undefined && { platformUnlockEnabled: platformUnlock }),
    ...(requestPolling !== undefined && { requestPollingEnabled: requestPolling }),
    ...(bypass !== undefined && { bypassEnabled: bypass }),
    ...(otp !== undefined && { otpEnabled: otp }),
    ...(allowedNetwork !== undefined && { allowedNetworks: allowedNetwork }),
    ...(anyNetwork && { allowedNetworks: [] }),
  }
}

// Commander takes null for an option without a value.
function minutesOrOff(text: string): number | 'off' {
  return text === 'off' ? text : wholeNumber(text)
}
