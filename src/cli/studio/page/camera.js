// The camera: its picture, its frames as JPEG, and the boxes over it.

const LONGEST_SIDE = 640; // pixels of a frame: enough for faces from a metre or two
const QUALITY = 0.85;

export class Camera {
  #video; #boxes; #stage; #small = document.createElement("canvas"); #stream = null;

  constructor(stage, video, boxes) {
    this.#stage = stage;
    this.#video = video;
    this.#boxes = boxes;
  }

  get isOn() { return this.#stream !== null; }

  // Asks for the camera of this id, or any. Throws what the browser says against it.
  async start(id) {
    this.stop();
    const video = { width: { ideal: 640 }, height: { ideal: 480 }, ...(id ? { deviceId: { exact: id } } : {}) };
    this.#stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    this.#stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
    this.draw([0, 0], []);
  }

  // The id of the camera, and all cameras as [id, label].
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const cameras = devices.filter((device) => device.kind === "videoinput");
    const current = this.#stream?.getVideoTracks()[0].getSettings().deviceId;
    return { current, cameras: cameras.map((camera, at) => [camera.deviceId, camera.label || `Camera ${at + 1}`]) };
  }

  // Resolves when the camera has a picture that was not seen yet.
  next() {
    return new Promise((resolve) => {
      const late = setTimeout(resolve, 200); // a window behind others gets no pictures
      const now = () => { clearTimeout(late); resolve(); };
      if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(now);
      else setTimeout(now, 33);
    });
  }

  // The present picture as JPEG; null if there is none yet.
  async frame() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (!this.isOn || width === 0) return null;
    const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
    this.#small.width = Math.round(width * scale);
    this.#small.height = Math.round(height * scale);
    this.#small.getContext("2d").drawImage(this.#video, 0, 0, this.#small.width, this.#small.height);
    const blob = await new Promise((resolve) => this.#small.toBlob(resolve, "image/jpeg", QUALITY));
    return blob && blob.arrayBuffer();
  }

  // Draws a red box with its label, if it has one, for each {box, label} of a frame of this size.
  draw([width, height], faces) {
    const canvas = this.#boxes;
    const scale = 2; // so that letters are sharp
    const letters = Math.max(12, 16 * (width / (canvas.clientWidth || width))); // as large on a phone as on a desk
    const line = 1.5 * letters;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.lineWidth = letters / 5;
    pen.font = `600 ${letters}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    const mirrored = this.#stage.classList.contains("mirrored");
    for (const { box: [x, y, w, h], label } of faces) {
      const left = mirrored ? width - x - w : x;
      pen.strokeStyle = "#e5242a";
      pen.strokeRect(left, y, w, h);
      if (!label) continue;
      const wide = pen.measureText(label).width + letters;
      const at = Math.max(0, Math.min(left - pen.lineWidth / 2, width - wide));
      const top = y >= line ? y - line : Math.min(y + h, height - line);
      pen.fillStyle = "#e5242a";
      pen.fillRect(at, top, wide, line);
      pen.fillStyle = "#ffffff";
      pen.fillText(label, at + letters / 2, top + line / 2);
    }
  }
}
