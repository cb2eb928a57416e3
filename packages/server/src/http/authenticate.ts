import type { IncomingHttpHeaders } from 'node:http'
import type { App } from '../app.ts'
import type { ApiKeyActor } from '../core/actors.ts'
import { authenticateApiKey } from '../core/api-keys.ts'
import { ApiError } from '../core/errors.ts'

const credentials = /^LoginTC[ \t]+key[ \t]*=[ \t]*("?)([0-9A-Za-z]{64})\1[ \t]*$/i

/** The application that an Authorization header speaks for. Throws `api.error.unauthorized` for whatever is not a live key. */
export async function authenticate(app: App, headers: IncomingHttpHeaders): Promise<ApiKeyActor> {
  const key = credentials.exec(headers.authorization ?? '')?.[2]
  if (!key) {
    throw new ApiError(
      'api.error.unauthorized',
      'An API key is needed: Authorization: LoginTC key="<64 letters and digits>".',
    )
  }
  return await authenticateApiKey(app, key)
}
