// Making elements: `element('p', { class: 'quiet', hidden: true }, 'text', another)`.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== 'role' && !name.startsWith('aria')) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Sets the text only where it differs, so that nothing is announced or laid out again for nothing. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
