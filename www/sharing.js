// Whether this viewer passes on what it receives: yes, unless the network or the viewer says otherwise.
// Where the channel's owner or the page has viewers asked, nobody shares before they say yes.
// On mobile data and with data saver nothing goes up, whatever was chosen before.

const CHOICE = 'swarmcast.sharing';
const CAP = 'swarmcast.upload-cap';
const NOTICED = 'swarmcast.sharing-noticed';

/** What is known of the machine and of the viewer's earlier choice. */
export function circumstances() {
  const connection = navigator.connection;
  return {
    webrtc: typeof RTCPeerConnection === 'function',
    saveData: connection?.saveData === true,
    network: connection?.type,
    phone: navigator.userAgentData?.mobile ?? /Android|iPhone|iPad|Mobile/.test(navigator.userAgent),
    choice: read(CHOICE),
  };
}

/** The stricter of two rules: what the channel's owner says, and what the page says. */
export function stricter(one, other) {
  const rules = ['off', 'ask'];
  return rules.find((rule) => rule === one || rule === other) ?? null;
}

/** `{ on, locked, reason, asks }`: locked where the viewer cannot change it, asks where they have to be asked first. */
export function policy({ webrtc, saveData, network, phone, choice, rule }) {
  if (rule === 'off') return { on: false, locked: true, reason: 'the broadcaster wants no sharing' };
  if (!webrtc) return { on: false, locked: true, reason: 'this browser cannot connect to other viewers' };
  if (saveData) return { on: false, locked: true, reason: 'data saver is on' };
  if (network === 'cellular') return { on: false, locked: true, reason: 'you are on mobile data' };
  if (choice === 'off') return { on: false, locked: false, reason: 'you switched it off' };
  if (choice === 'on') return { on: true, locked: false, reason: '' };
  if (rule === 'ask') return { on: false, locked: false, reason: 'you have not said yes', asks: true };
  const unknown = network === undefined || network === 'unknown';
  if (phone && unknown) return { on: false, locked: false, reason: 'this may be mobile data' };
  return { on: true, locked: false, reason: '' };
}

/** Whether the viewer has said yes on this device. */
export function agreed() {
  return read(CHOICE) === 'on';
}

export function remember(on) {
  write(CHOICE, on ? 'on' : 'off');
}

/** Whether this viewer has been told what sharing is, or has chosen already. */
export function noticed() {
  return read(NOTICED) !== null || read(CHOICE) !== null;
}

export function rememberNotice() {
  write(NOTICED, 'yes');
}

/** How much to pass on at most, in multiples of the stream's bitrate, or null: no choice was made. */
export function uploadCap() {
  const cap = read(CAP);
  return cap === null || !(Number(cap) >= 0) ? null : Number(cap);
}

export function rememberUploadCap(cap) {
  write(CAP, String(cap));
}

/** Calls back when the network changes, as from Wi-Fi to mobile data. */
export function onNetworkChange(callback, { signal }) {
  navigator.connection?.addEventListener?.('change', callback, { signal });
}

function read(item) {
  try {
    return localStorage.getItem(item);
  } catch {
    return null;
  }
}

function write(item, text) {
  try {
    localStorage.setItem(item, text);
  } catch {
    // Without storage the choice holds for this page.
  }
}
