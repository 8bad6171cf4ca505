// Runs in the sound thread: hands what it hears to the page, 20 ms at a time, as one Float32Array a channel.

const FRAME_SAMPLES = 960;
const CHANNELS = 2;

class Listener extends AudioWorkletProcessor {
  #filled = 0;
  #planes = Listener.#silence();

  static #silence() {
    return Array.from({ length: CHANNELS }, () => new Float32Array(FRAME_SAMPLES));
  }

  process([input]) {
    const length = input[0]?.length ?? 128; // Nothing is connected: silence, at the usual pace.
    for (let sample = 0; sample < length; sample += 1) {
      for (let channel = 0; channel < CHANNELS; channel += 1) {
        this.#planes[channel][this.#filled] = (input[channel] ?? input[0])?.[sample] ?? 0;
      }
      this.#filled += 1;
      if (this.#filled === FRAME_SAMPLES) this.#send();
    }
    return true;
  }

  #send() {
    this.port.postMessage({ atMs: currentTime * 1000, planes: this.#planes }, this.#planes.map((plane) => plane.buffer));
    this.#planes = Listener.#silence();
    this.#filled = 0;
  }
}

registerProcessor('listener', Listener);
