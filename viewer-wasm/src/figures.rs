//! What the viewer can say of itself, under the names that pages and tests read.

use js_sys::{JSON, Object, Reflect};
use swarm::Stats;
use wasm_bindgen::JsValue;

/// A plain object being filled. Fractions go in one by one: their way through JSON would cost every viewer 10 KB.
pub(crate) struct Figures(Object);

impl Figures {
    /// Begins with the engine's: `bytes`, `uploaded_bytes`, `pieces`, `links`, `viewers` and more.
    pub(crate) fn of(stats: &Stats) -> Self {
        let text = serde_json::to_string(stats).unwrap_or_default();
        Figures(JSON::parse(&text).map_or_else(|_| Object::new(), Object::from))
    }

    pub(crate) fn with(self, name: &str, value: impl Into<JsValue>) -> Self {
        // Only a frozen object could refuse.
        let _ = Reflect::set(&self.0, &name.into(), &value.into());
        self
    }

    /// `null` where there is none.
    pub(crate) fn with_any(self, name: &str, value: Option<impl Into<JsValue>>) -> Self {
        self.with(name, value.map_or(JsValue::NULL, Into::into))
    }

    /// A list of objects.
    #[cfg(not(feature = "studio"))]
    pub(crate) fn with_list(self, name: &str, list: impl Iterator<Item = Figures>) -> Self {
        self.with(name, list.map(|figures| figures.0).collect::<js_sys::Array>())
    }

    #[cfg(not(feature = "studio"))]
    pub(crate) fn empty() -> Self {
        Figures(Object::new())
    }

    pub(crate) fn into_object(self) -> JsValue {
        self.0.into()
    }
}
