// The last minutes of a viewer's figures, second by second, for charts.

const EVERY_MS = 1000;
const KEPT = 180; // three minutes

export class History {
  samples = [];
  #last = null;

  /** Takes note of `stats`, at most once a second. */
  note(stats, nowMs = performance.now()) {
    const last = this.#last;
    if (last && nowMs - last.at < EVERY_MS) return;
    this.#last = { at: nowMs, bytes: stats.bytes, uploaded: stats.uploaded_bytes };
    if (!last) return;
    const bps = (now, before) => Math.max(0, ((now - before) * 8000) / (nowMs - last.at));
    this.samples.push({
      time_s: Date.now() / 1000,
      viewers_bps: bps(stats.bytes.viewers, last.bytes.viewers),
      server_bps: bps(stats.bytes.relay, last.bytes.relay),
      source_bps: bps(stats.bytes.source, last.bytes.source),
      up_bps: bps(stats.uploaded_bytes, last.uploaded),
      lag_s: stats.lag_s,
      buffer_s: stats.buffer_s,
    });
    if (this.samples.length > KEPT) this.samples.shift();
  }
}
