import type { Operation } from '@countersign/protocol/device-messages.ts'
import type { App } from '../../app.ts'
import { finishActivation } from '../../core/activations.ts'
import { answerSession } from '../../core/answers.ts'
import { limitFailures } from '../../core/device-failures.ts'
import { changeFactor, removeToken, rotateKey, setPush } from '../../core/token-changes.ts'
import type { DeviceRoute } from '../route.ts'
import { begin } from './activations.ts'
import { readText, sender } from './body.ts'
import { sendDomainImage } from './domain-images.ts'
import { describeServer } from './server.ts'
import { poll } from './sync.ts'

/** Everything that an authenticator can ask (docs/specs/device-protocol.md). */
export const deviceRoutes: DeviceRoute[] = [
  { method: 'GET', path: '/device/v1/server', handle: describeServer },
  { method: 'GET', path: '/device/v1/domains/:domainId/image', handle: sendDomainImage },
  post('activation/begin', (app, request) => limitFailures(app, sender(request), () => begin(app, request))),
  post('sync', poll),
  signed('activation/finish', 'activate', finishActivation),
  signed('answer', 'answer', answerSession),
  signed('push', 'push', setPush),
  signed('factor', 'factor', changeFactor),
  signed('rotate', 'rotate', rotateKey),
  signed('remove', 'remove', removeToken),
]

function post(path: string, handle: DeviceRoute['handle']): DeviceRoute {
  return { method: 'POST', path: `/device/v1/${path}`, handle }
}

/** The body is one signed message, and all there is to know stands in it. */
function signed(path: string, op: Operation, answer: (app: App, text: string) => Promise<object>): DeviceRoute {
  return post(path, (app, request) => {
    const text = readText(request)
    return limitFailures(app, sender(request, [{ op, text }]), () => answer(app, text))
  })
}
