import { readFileSync } from 'node:fs'
import { c } from './c.ts'
import type { Client } from './client.ts'
import { java } from './java.ts'
import { php } from './php.ts'
import { python } from './python.ts'
import type { Row } from './row.ts'
import { bypassCodeRows, hardwareRows } from './rows-codes.ts'
import { loginRows } from './rows-logins.ts'
import { endingRows, peopleRows } from './rows-people.ts'
import * as seen from './seen.ts'

export const clients: Client[] = [php, python, java, c]

const builtIn = readFileSync(new URL('../../src/core/default-domain-image.png', import.meta.url), 'latin1')

const imageRow: Row = {
  endpoint: 'GET /api/domains/:domainId/image',
  returns: 'image',
  expect: () => seen.same(builtIn),
}

/** Every endpoint in the order of a life: a user joins, logs in by every means, and leaves. */
export const table: Row[] = [...peopleRows, imageRow, ...loginRows, ...bypassCodeRows, ...hardwareRows, ...endingRows]
