// The WebSocket: JSON texts both ways, pictures as binary; it reconnects by itself.

const TYPES = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
};
const RETRY_MS = [300, 600, 1200, 2000, 3000];

/** A binary frame: its header, with its arrays by name, each {data, shape}. */
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const { name, dtype, shape, offset } of header.arrays) {
    const Type = TYPES[dtype];
    const size = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { data: new Type(buffer, offset, size), shape };
  }
  return { ...header, arrays };
}

export class Connection {
  /** `on` has `open()`, `text(message)`, `picture(picture)` and `lost(attempts)`. */
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.attempts = 0;
  }

  connect() {
    this.socket = new WebSocket(this.address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.attempts = 0;
      this.on.open();
    };
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.on.text(JSON.parse(data));
      else {
        const frame = decode(data);
        this.on[frame.say === "picture" ? "picture" : "text"](frame);
      }
    };
    this.socket.onclose = () => {
      this.on.lost(this.attempts);
      const wait = RETRY_MS[Math.min(this.attempts++, RETRY_MS.length - 1)];
      setTimeout(() => this.connect(), wait);
    };
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  send(message) {
    if (this.open) this.socket.send(JSON.stringify(message));
  }
}

/** Two pictures of which the first was not drawn: nothing that comes once is lost. */
export function combine(first, second) {
  const arrays = { ...second.arrays };
  for (const name of ["points", "labels", "test_points", "test_labels"]) {
    if (first.arrays[name] && !arrays[name]) arrays[name] = first.arrays[name];
  }
  const extra = [...(first.skipped ?? []), first.arrays.curves].filter(Boolean);
  return { ...second, arrays, skipped: extra };
}

/** Whether a server answers that does not know this page's token. */
export async function isRefused() {
  try {
    return (await fetch(location.pathname + location.search, { cache: "no-store" })).status === 403;
  } catch {
    return false;
  }
}
