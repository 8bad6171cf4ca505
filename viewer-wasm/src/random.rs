//! The browser's randomness, for what must not be guessed.

use wasm_bindgen::JsValue;

/// Bytes nobody can foretell. Fails where the page has no `crypto`, which no browser in use lacks.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], JsValue> {
    let mut bytes = [0; N];
    let window = web_sys::window().ok_or("the viewer needs a window")?;
    window.crypto()?.get_random_values_with_u8_array(&mut bytes)?;
    Ok(bytes)
}

/// Between `low` and `high`, to keep many viewers from acting at the same moment.
pub(crate) fn between(low: f64, high: f64) -> f64 {
    low + js_sys::Math::random() * (high - low)
}
