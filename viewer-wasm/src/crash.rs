//! What happens when this module crashes, which must not happen: the page is told.

use wasm_bindgen::JsCast as _;

/// Fired on the window: `detail` is the message.
const CRASHED: &str = "swarmcast-crashed";

/// From here on crashes are reported.
pub(crate) fn report() {
    std::panic::set_hook(Box::new(|info| crashed(&info.to_string())));
}

fn crashed(message: &str) {
    web_sys::console::error_1(&format!("swarmcast crashed: {message}").into());
    let init = web_sys::CustomEventInit::new();
    init.set_detail(&message.into());
    let (Ok(event), Some(window)) =
        (web_sys::CustomEvent::new_with_event_init_dict(CRASHED, &init), web_sys::window())
    else {
        return;
    };
    let _ = window.dispatch_event(event.unchecked_ref());
}
