// Reads QR codes from the camera: by the browser where it can, else by a decoder that is loaded when it is needed first.

/** Why there is no picture. */
export type CameraProblem = 'denied' | 'missing' | 'busy'

/** A running scan. */
export interface Scan {
  stop(): void
}

export class CameraError extends Error {
  readonly problem: CameraProblem

  constructor(problem: CameraProblem, cause: unknown) {
    super(`No camera: ${problem}`, { cause })
    this.problem = problem
  }
}

type Decode = (frame: HTMLVideoElement) => Promise<string[]>

const frameGapMs = 120
/** more pixels than that take longer and find no more codes */
const sideMax = 800

/**
 * Shows the camera in `video` and calls `onText` with each text that a QR code in sight holds, until it returns true or the scan
 * is stopped. Throws CameraError.
 */
export async function startScan(video: HTMLVideoElement, onText: (text: string) => boolean): Promise<Scan> {
  const stream = await openCamera()
  let stopped = false
  const stop = () => {
    stopped = true
    for (const track of stream.getTracks()) track.stop()
    video.srcObject = null
  }
  try {
    video.muted = true
    video.playsInline = true
    video.srcObject = stream
    await video.play()
    const decode = await openDecoder()
    void (async () => {
      while (!stopped) {
        const texts = video.readyState >= video.HAVE_CURRENT_DATA ? await decode(video).catch(() => []) : []
        if (!stopped && texts.some(onText)) stop()
        await new Promise((resolve) => setTimeout(resolve, frameGapMs))
      }
    })()
  } catch (error) {
    stop()
    throw error
  }
  return { stop }
}

async function openCamera(): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new CameraError('missing', undefined)
  try {
    const video = { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 1280 } }
    return await navigator.mediaDevices.getUserMedia({ video, audio: false })
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    const problems: Record<string, CameraProblem> = {
      NotAllowedError: 'denied',
      SecurityError: 'denied',
      NotReadableError: 'busy',
    }
    throw new CameraError(problems[name] ?? 'missing', error)
  }
}

async function openDecoder(): Promise<Decode> {
  return (await nativeDecoder()) ?? (await loadedDecoder())
}

// Not in TypeScript's types, and not in every browser.
interface Detector {
  detect(frame: HTMLVideoElement): Promise<{ rawValue: string }[]>
}
interface DetectorClass {
  new (options: { formats: string[] }): Detector
  getSupportedFormats(): Promise<string[]>
}

async function nativeDecoder(): Promise<Decode | undefined> {
  const { BarcodeDetector } = globalThis as { BarcodeDetector?: DetectorClass }
  if (!BarcodeDetector) return undefined
  const formats = await BarcodeDetector.getSupportedFormats().catch((): string[] => [])
  if (!formats.includes('qr_code')) return undefined
  const detector = new BarcodeDetector({ formats: ['qr_code'] })
  return async (frame) => (await detector.detect(frame)).map(({ rawValue }) => rawValue)
}

async function loadedDecoder(): Promise<Decode> {
  const { readBarcodes } = await loadReader()
  const canvas = document.createElement('canvas')
  const context = canvas.getContext('2d', { willReadFrequently: true })
  return async (frame) => {
    const scale = Math.min(1, sideMax / Math.max(frame.videoWidth, frame.videoHeight, 1))
    canvas.width = Math.round(frame.videoWidth * scale)
    canvas.height = Math.round(frame.videoHeight * scale)
    if (!context || canvas.width === 0) return []
    context.drawImage(frame, 0, 0, canvas.width, canvas.height)
    const picture = context.getImageData(0, 0, canvas.width, canvas.height)
    return (await readBarcodes(picture, { formats: ['QRCode'], maxNumberOfSymbols: 2 })).map(({ text }) => text)
  }
}

async function loadReader(): Promise<typeof import('zxing-wasm/reader')> {
  const [reader, { default: wasm }] = await Promise.all([
    import('zxing-wasm/reader'),
    import('zxing-wasm/reader/zxing_reader.wasm?url'),
  ])
  // Its own default is a copy on somebody else's server.
  reader.prepareZXingModule({ overrides: { locateFile: () => wasm } })
  return reader
}
