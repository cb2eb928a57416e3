import { StatementSync } from 'node:sqlite'
import pg from 'pg'

/**
 * Writes down the text of every statement that this process gives to a database from now on: on SQLite what is prepared and
 * run for rows, on PostgreSQL what has values. BEGIN, COMMIT and the like are not among them, nor are a server's regular
 * looks for new keys, which no request causes.
 */
export function watchStatements(): { texts: string[]; stop(): void } {
  const texts: string[] = []
  const note = (text: string) => {
    if (!text.startsWith('select * from "data_keys"')) texts.push(text)
  }
  const { all } = StatementSync.prototype
  const { query } = pg.Client.prototype
  StatementSync.prototype.all = function (this: StatementSync, ...values: unknown[]) {
    note(this.sourceSQL)
    return all.apply(this, values as never)
  } as typeof all
  pg.Client.prototype.query = function (this: pg.Client, ...values: unknown[]) {
    const [first] = values
    if (typeof first === 'object' && first !== null && 'text' in first) note(String(first.text))
    return query.apply(this, values as never)
  } as typeof query
  const stop = () => {
    StatementSync.prototype.all = all
    pg.Client.prototype.query = query
  }
  return { texts, stop }
}
