// Whatever a page does later comes later still: by times that a seed draws, in the order that the
// browser promises. `delays(seed)` is called before the page's own modules are loaded.

function delays(seed) {
  const MILLISECONDS = { packing: 150, fetching: 300, frame: 80, timer: 80, resizing: 60, message: 60, link: 100 };
  const realTimeout = setTimeout.bind(window);
  const uniform = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; // Press et al., Numerical Recipes, "quick and dirty"
    return seed / 2 ** 32;
  };
  const drawn = (kind) => {
    const which = uniform(), most = MILLISECONDS[kind];
    return which < 0.1 ? 4 * most : which < 0.5 ? 0 : uniform() * most;
  };
  const pass = (kind) => {
    const wait = drawn(kind);
    return wait ? new Promise((done) => realTimeout(done, wait)) : Promise.resolve();
  };
  /** A caller that delays, and never lets one call overtake another. */
  const queue = (kind) => {
    let line = Promise.resolve();
    return (call) => {
      const passed = pass(kind);
      line = line.then(() => passed).then(call);
    };
  };

  for (const name of ["CompressionStream", "DecompressionStream"]) {
    const Real = window[name];
    window[name] = function (format) {
      const { writable, readable } = new Real(format), passed = pass("packing");
      const late = new TransformStream({ async transform(part, to) {
        await passed;
        to.enqueue(part);
      } });
      return { writable, readable: readable.pipeThrough(late) };
    };
  }
  const realFetch = fetch.bind(window);
  window.fetch = async (...asked) => {
    await pass("fetching");
    const answer = await realFetch(...asked);
    await pass("fetching");
    return answer;
  };
  window.setTimeout = (call, wait = 0, ...given) => realTimeout(call, wait + drawn("timer"), ...given);
  const realFrame = requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (call) => realTimeout(() => realFrame(call), drawn("frame"));
  const RealObserver = ResizeObserver;
  window.ResizeObserver = function (call) {
    const later = queue("resizing");
    return new RealObserver((...given) => later(() => call(...given)));
  };
  const realListener = addEventListener.bind(window);
  const linked = queue("link");
  window.addEventListener = (name, call, ...options) =>
    realListener(name, name === "hashchange" ? (event) => linked(() => call(event)) : call, ...options);
  const RealSocket = WebSocket;
  window.WebSocket = class extends RealSocket {
    constructor(...given) {
      super(...given);
      const later = queue("message");
      this.sends = queue("message");
      for (const name of ["onopen", "onmessage", "onclose"]) {
        const { set } = Object.getOwnPropertyDescriptor(RealSocket.prototype, name);
        Object.defineProperty(this, name, { set(call) { set.call(this, (event) => later(() => call(event))); } });
      }
    }

    send(message) {
      this.sends(() => this.readyState === RealSocket.OPEN && super.send(message));
    }
  };
}
