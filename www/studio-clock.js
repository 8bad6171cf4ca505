// When something was captured, by the page's clock. Devices stamp what they capture by clocks of their own, and it is
// handed over late by varying amounts: the least delay seen lately is the one that counts.

const WINDOW_MS = 10_000;

/** Translates one device's times. */
export class CaptureClock {
  #least = Infinity;
  #leastBefore = Infinity;
  #windowEnds = 0;

  /** `deviceMs` of the device, handed over at `nowMs` of the page: the page's time of its capture, at most `nowMs`. */
  place(deviceMs, nowMs) {
    if (nowMs > this.#windowEnds) {
      [this.#leastBefore, this.#least] = [this.#least, Infinity];
      this.#windowEnds = nowMs + WINDOW_MS;
    }
    this.#least = Math.min(this.#least, nowMs - deviceMs);
    return deviceMs + Math.min(this.#least, this.#leastBefore);
  }
}
