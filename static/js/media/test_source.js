/**
 * A moving picture and a tone for people without a camera or microphone: everything else works as with real ones.
 *
 * The picture moves so that a frozen one is seen, and shows the clock so that delay is; the tone is quiet and pulses.
 */

const WIDTH = 640;
const HEIGHT = 360;
const FRAMES_PER_SECOND = 15;

/** Hertz and loudness of the tone, heard for half of each second. */
const TONE = 392;
const LOUDNESS = 0.06;

/** @param {CanvasRenderingContext2D} pen @param {number} seconds @param {string} name */
function draw(pen, seconds, name) {
  const sky = pen.createLinearGradient(0, 0, WIDTH, HEIGHT);
  sky.addColorStop(0, "#12352c");
  sky.addColorStop(1, "#2f7a64");
  pen.fillStyle = sky;
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  for (let wave = 0; wave < 3; wave += 1) {
    pen.fillStyle = `rgb(134 205 180 / ${14 + wave * 8}%)`;
    pen.beginPath();
    pen.moveTo(0, HEIGHT);
    for (let x = 0; x <= WIDTH; x += 16)
      pen.lineTo(x, 230 + wave * 34 + 22 * Math.sin(x / (70 + wave * 25) + seconds * (1.1 + wave * 0.4)));
    pen.lineTo(WIDTH, HEIGHT);
    pen.fill();
  }
  pen.fillStyle = "#f6f4ef";
  pen.beginPath();
  pen.arc(WIDTH / 2 + 210 * Math.sin(seconds), 110 + 26 * Math.cos(seconds * 1.7), 26, 0, 2 * Math.PI);
  pen.fill();
  pen.textAlign = "center";
  pen.font = "600 34px system-ui, sans-serif";
  pen.fillText(name, WIDTH / 2, 205, WIDTH - 60);
  pen.font = "22px system-ui, sans-serif";
  pen.fillText(`Test picture · ${new Date().toLocaleTimeString()}`, WIDTH / 2, 240);
}

/** @param {string} name Written into the picture. @returns {MediaStreamTrack} */
export function testPicture(name) {
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const started = performance.now();
  const paint = () => draw(pen, (performance.now() - started) / 1000, name);
  paint();
  const [track] = canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks();
  // A timer and not animation frames: those stop in a tab nobody looks at, and the class still does.
  const timer = setInterval(() => (track.readyState === "ended" ? clearInterval(timer) : paint()), 1000 / FRAMES_PER_SECOND);
  return track;
}

/** @returns {MediaStreamTrack} */
export function testTone() {
  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, { frequency: TONE });
  const pulse = new OscillatorNode(audio, { type: "square", frequency: 1 });
  const depth = new GainNode(audio, { gain: LOUDNESS / 2 });
  const loudness = new GainNode(audio, { gain: LOUDNESS / 2 });
  const out = audio.createMediaStreamDestination();
  pulse.connect(depth).connect(loudness.gain);
  tone.connect(loudness).connect(out);
  tone.start();
  pulse.start();
  audio.resume().catch(() => {}); // a page without a click yet is silent until there is one
  const [track] = out.stream.getAudioTracks();
  const stop = track.stop.bind(track);
  track.stop = () => {
    stop();
    audio.close().catch(() => {}); // already closed
  };
  return track;
}
