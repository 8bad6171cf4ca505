// Types of <swarmcast-player>, of its framed form, and of what both say.

/** What the player is doing, in a word. */
export type State =
  | 'idle' | 'connecting' | 'finding_peers' | 'live' | 'buffering' | 'reconnecting' | 'lapsed' | 'locked' | 'refused' | 'uninvited' | 'banned' | 'offline' | 'ended'
  | 'unsupported' | 'failed';

export interface Link {
  /** Id of the peer, not an address. */
  readonly peer: string;
  readonly kind: 'viewer' | 'source' | 'relay';
  readonly stripes_in: readonly number[];
  readonly stripes_out: readonly number[];
  readonly rtt_ms: number | null;
  readonly received_bytes: number;
  readonly sent_bytes: number;
}

/** Figures of this viewer. Names end in their unit. Others may be there; count on these. */
export interface Stats {
  readonly state: State;
  /** Why, where there is something to say. */
  readonly reason: string | null;
  /** Id of the channel: its public key. */
  readonly channel: string | null;
  readonly lag_s: number | null;
  readonly target_lag_s: number;
  readonly buffer_s: number;
  readonly first_frame_ms: number | null;
  readonly stalls: readonly { readonly at_s: number; readonly duration_ms: number }[];
  /** Bytes taken, by origin. */
  readonly bytes: { readonly viewers: number; readonly source: number; readonly relay: number };
  readonly uploaded_bytes: number;
  readonly links: readonly Link[];
  /** Viewers of the channel. */
  readonly viewers: number;
  /** Whether this viewer passes on what it takes. */
  readonly sharing: boolean;
  /** What the channel's owner says of that: only who agrees, or nobody. */
  readonly sharing_rule: 'ask' | 'off' | null;
}

/** What comes with an event. */
export interface Happening {
  readonly state: State;
  /** For people, in English. */
  readonly message: string;
}

export interface SwarmcastEvents {
  /** The picture plays, at first or again. */
  live: CustomEvent<Happening>;
  /** The channel is not on air. */
  offline: CustomEvent<Happening>;
  /** The picture stands still for want of data. `live` follows. */
  stall: CustomEvent<Happening>;
  /** There is no picture, and `message` says what can be done. */
  error: CustomEvent<Happening>;
}

/** `<swarmcast-player channel="..." key="...">`. */
export interface SwarmcastPlayerElement extends HTMLElement {
  /** Plays, with sound where the browser allows it, else muted. */
  play(): Promise<void>;
  pause(): void;
  mute(muted?: boolean): void;
  /** Back to where all viewers are. */
  seekToLive(): Promise<void>;
  stats(): Stats;
  addEventListener<K extends keyof SwarmcastEvents>(type: K, listener: (event: SwarmcastEvents[K]) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof SwarmcastEvents>(type: K, listener: (event: SwarmcastEvents[K]) => void, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

/** The same for `<iframe src="https://HOST/embed/NAME">`. */
export class SwarmcastFrame extends EventTarget {
  constructor(frame: HTMLIFrameElement);
  /** Settled once the frame answers. */
  readonly ready: Promise<unknown>;
  play(): Promise<void>;
  pause(): Promise<void>;
  mute(muted?: boolean): Promise<void>;
  seekToLive(): Promise<void>;
  stats(): Promise<Stats>;
  /** Stops listening; calls that wait for an answer fail. */
  close(): void;
  addEventListener<K extends keyof SwarmcastEvents>(type: K, listener: (event: SwarmcastEvents[K]) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof SwarmcastEvents>(type: K, listener: (event: SwarmcastEvents[K]) => void, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

/** Loads `<swarmcast-player>` from a server, for instance `https://tv.example.org`. */
export function load(server: string, options?: { integrity?: string }): Promise<void>;

declare global {
  interface HTMLElementTagNameMap {
    'swarmcast-player': SwarmcastPlayerElement;
  }
}
