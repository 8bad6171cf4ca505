// Text to the clipboard, also where the page came by plain HTTP and browsers offer no clipboard.

/** Whether it worked. `near` is an element in the document: the text passes through a field beside it. */
export async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    field.style.cssText = 'position:fixed;opacity:0';
    near.after(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    near.focus?.();
    return copied;
  }
}
