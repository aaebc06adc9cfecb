// Sound that the gate leads here beside the picture: MP2 in MPEG-TS over a WebSocket, decoded by JSMpeg. A browser plays nothing before the visitor has
// touched the page or what is framed in it.
const ADDRESS = new URL('sound', location.href.replace(/^http/, 'ws')), AGAIN = 2, LOOK = 500;

export class Sound {
  #wanted = false;
  #player = null;

  play(on) {
    this.#wanted = on;
    if (on) this.#begin();
    else {
      this.#player?.destroy();
      this.#player = null;
    }
  }

  async #begin() {
    if (this.#player || !this.#wanted) return;
    if (navigator.userActivation && !navigator.userActivation.hasBeenActive) {
      setTimeout(() => this.#begin(), LOOK);
      return;
    }
    const { default: JSMpeg } = await import('./jsmpeg.js');
    if (this.#player || !this.#wanted) return;
    this.#player = new JSMpeg.Player(ADDRESS.href, { video: false, disableWebAssembly: true, pauseWhenHidden: false, reconnectInterval: AGAIN });
    this.#player.audioOut?.unlock();
  }
}
