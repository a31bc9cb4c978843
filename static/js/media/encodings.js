/**
 * What the browser encodes of a source: a picture once, or in layers of which the server gives each viewer the one that
 * fits. Everybody looks at the instructor, on large and small screens, so that camera is worth the layers; a shared
 * screen has to be sharp and goes out once.
 */

/** Bits a second at most, by source: the server sets no lower rate by itself, and a class must fit a phone network. */
const MAX_BITRATE = { microphone: 40_000, camera: 1_200_000, screen: 2_000_000, screen_audio: 64_000 };

/** Layers by name, how much smaller each is across, bits a second; the smallest passes a link of 300 kbit/s with sound. */
const MIDDLE = { rid: "m", scaleResolutionDownBy: 2, maxBitrate: 450_000 };
const LOW = { rid: "l", scaleResolutionDownBy: 4, maxBitrate: 120_000 };
const HALF = { rid: "l", scaleResolutionDownBy: 2, maxBitrate: 150_000 };

/** Pixels across from which a picture has three layers, and two. */
const THREE_FROM = 960;
const TWO_FROM = 480;

/**
 * @param {import("./publisher.js").Source} source @param {number|undefined} width of the camera's picture
 * @param {boolean} isLayered @returns {RTCRtpEncodingParameters[]}
 */
export function encodings(source, width, isLayered) {
  const whole = { maxBitrate: MAX_BITRATE[source] };
  if (!isLayered || source !== "camera" || !width || width < TWO_FROM) return [whole];
  const top = { ...whole, rid: "h", scaleResolutionDownBy: 1 };
  return width < THREE_FROM ? [HALF, top] : [LOW, MIDDLE, top];
}
