import type { App } from '../../app.ts'
import { finishActivation } from '../../core/activations.ts'
import { answerSession } from '../../core/answers.ts'
import { limitFailures } from '../../core/device-failures.ts'
import { changeFactor, removeToken, rotateKey, setPush } from '../../core/token-changes.ts'
import type { DeviceRoute, Incoming } from '../route.ts'
import { begin } from './activations.ts'
import { describeServer } from './server.ts'
import { poll } from './sync.ts'

type Handle = (app: App, request: Incoming) => Promise<unknown>

/** Everything that an authenticator can ask (docs/specs/device-protocol.md). */
export const deviceRoutes: DeviceRoute[] = [
  { method: 'GET', path: '/device/v1/server', handle: describeServer },
  post('activation/begin', begin),
  post('activation/finish', signed(finishActivation)),
  post('sync', poll),
  post('answer', signed(answerSession)),
  post('push', signed(setPush)),
  post('factor', signed(changeFactor)),
  post('rotate', signed(rotateKey)),
  post('remove', signed(removeToken)),
]

function post(path: string, handle: Handle): DeviceRoute {
  return {
    method: 'POST',
    path: `/device/v1/${path}`,
    handle: (app, request) => limitFailures(app, request.clientAddress, () => handle(app, request)),
  }
}

/** The body is one signed message, and all there is to know stands in it. */
function signed(answer: (app: App, text: string) => Promise<object>): Handle {
  return (app, request) => answer(app, request.text ?? '')
}
