// Play and pause. Until the server has heard of the last press, its pictures tell of the time before.

export class Presses {
  constructor(send) {
    this.toServer = send;
    this.restart();
  }

  /** Count from the start, as the server does for each connection. */
  restart() {
    this.count = 0;
    this.last = null;
  }

  send(message) {
    this.last = { ...message, id: ++this.count };
    document.body.dataset.rests = "no";
    this.toServer(this.last);
  }

  /** Whether the server had heard of the last press when it made this picture. */
  areHeard(picture) {
    return (picture?.press ?? 0) === this.count;
  }

  /** Send the last press again where it was left out. */
  repeat(picture) {
    if (this.last && !this.areHeard(picture)) this.toServer(this.last);
  }
}
