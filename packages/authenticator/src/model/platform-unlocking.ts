import type { UnlockBinding } from '@countersign/protocol/unlock.ts'
import type { PlatformUnlock, provePlatform, registerPlatform } from '../protocol/platform.ts'

/** Fingerprint, face or the system's own PIN. */
export interface PlatformUnlocking {
  available(): Promise<boolean>
  register(token: Parameters<typeof registerPlatform>[0]): ReturnType<typeof registerPlatform>
  prove(unlock: PlatformUnlock, binding: UnlockBinding): ReturnType<typeof provePlatform>
}
