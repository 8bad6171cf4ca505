// The chat on the watch page: beside the picture where there is room, below it elsewhere. Open or closed is remembered.

import './chat.js';

const REMEMBERED = 'swarmcast-chat';

let opened = null;

/** Opens the chat of the player's channel; `button` opens and closes it from then on. */
export function openChat(player, button) {
  if (opened) return;
  const main = player.parentElement;
  opened = document.createElement('swarmcast-chat');
  for (const attribute of ['channel', 'secret']) if (player.hasAttribute(attribute)) opened.setAttribute(attribute, player.getAttribute(attribute));
  opened.id = 'chatting';
  button.setAttribute('aria-controls', opened.id);
  button.addEventListener('click', () => (opened.isConnected ? close() : open(true)));
  opened.addEventListener('swarmcast-chat-close', () => (close(), button.focus()));
  open(document.activeElement === button);

  function open(byHand) {
    main.append(opened);
    show(true);
    // A touch screen's keyboard would push the picture away.
    if (byHand && matchMedia('(hover: hover)').matches) opened.focus();
  }

  function close() {
    opened.remove();
    show(false);
  }

  function show(on) {
    main.classList.toggle('chatting', on);
    button.setAttribute('aria-expanded', String(on));
    localStorage.setItem(REMEMBERED, on ? 'open' : 'closed');
  }
}
