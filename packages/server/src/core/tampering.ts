import type { App } from '../app.ts'
import { type AuditEvent, theServer } from './audit.ts'
import { transact } from './transactions.ts'

const alarms = {
  'token.tampered': 'a token’s row was changed behind the server’s back',
  'session.tampered': 'a session was set to approved behind the server’s back',
  'bypass_code.tampered': 'a bypass code was changed behind the server’s back',
  'hardware.tampered': 'the seed of a hardware token was changed behind the server’s back',
} as const

/** A row that is not as the server wrote it. */
export type Tampering = Omit<AuditEvent, 'event' | 'actor'> & { event: keyof typeof alarms; rowId: string }

/**
 * Raises the alarm, outside any unit: in the log each time, in the audit log once a row and process, so that whoever asks for
 * such a row again and again does not write again and again. Never throws: the row is refused in any case.
 */
export async function reportTampering(app: App, { rowId, ...about }: Tampering): Promise<void> {
  const { event, tid, sid } = about
  app.log.error({ alarm: event, rowId, tid, sid }, alarms[event])
  const row = `${event} ${rowId}`
  if (!app.limits.tampering.add(row)) return
  try {
    await transact(app, async (unit) => unit.audit({ ...about, actor: theServer }))
  } catch (error) {
    app.limits.tampering.remove(row)
    app.log.error({ err: error, alarm: event, rowId }, 'this alarm could not be written to the audit log')
  }
}
