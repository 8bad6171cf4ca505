//! The tracker's messages, as the browser's own reader of JSON reads them: serde_json's would be a tenth of this module.

use std::fmt;

use js_sys::{Array, JSON, Reflect};
use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use wasm_bindgen::{JsCast as _, JsValue};
use wire::limits::SESSION_TEXT_MAX;
use wire::session::FromTracker;

/// Integers above this are not exact in JavaScript.
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

/// A message of the tracker; `None` if the text is none.
pub(crate) fn read(text: &str) -> Option<FromTracker> {
    let value = JSON::parse(text).ok().filter(|_| text.len() <= SESSION_TEXT_MAX)?;
    FromTracker::read(Value(value))
}

/// A value that JSON can hold.
struct Value(JsValue);

/// It is not what was wanted. What was is left out: nobody would read it, and the words weigh more than the reader.
#[derive(Debug)]
struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unfit")
    }
}

impl std::error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Unfit
    }
    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Unfit
    }
    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Unfit
    }
    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Unfit
    }
    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Unfit
    }
    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Unfit
    }
    fn missing_field(_: &'static str) -> Self {
        Unfit
    }
    fn duplicate_field(_: &'static str) -> Self {
        Unfit
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if let Some(text) = self.0.as_string() {
            return visitor.visit_string(text);
        }
        if let Some(number) = self.0.as_f64() {
            let whole = (0.0..=INTEGER_MAX).contains(&number) && number.fract() == 0.0;
            return if whole { visitor.visit_u64(number as u64) } else { Err(Unfit) };
        }
        match self.0.as_bool() {
            Some(truth) => visitor.visit_bool(truth),
            None => visitor.visit_seq(Items(self.0.dyn_into().map_err(|_| Unfit)?, 0)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_map(Fields { object: self.0, left: fields.iter(), value: JsValue::NULL })
    }

    /// All enums of these messages are words.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_enum(StringDeserializer::new(self.0.as_string().ok_or(Unfit)?))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items(Array, u32);

impl<'de> SeqAccess<'de> for Items {
    type Error = Unfit;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        if self.1 >= self.0.length() {
            return Ok(None);
        }
        self.1 += 1;
        seed.deserialize(Value(self.0.get(self.1 - 1))).map(Some)
    }
}

/// The fields that the receiver knows, of those that are there.
struct Fields {
    object: JsValue,
    left: std::slice::Iter<'static, &'static str>,
    value: JsValue,
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Unfit;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        for name in self.left.by_ref() {
            let value = Reflect::get(&self.object, &(*name).into()).map_err(|_| Unfit)?;
            if !value.is_undefined() {
                self.value = value;
                return seed.deserialize(de::value::StrDeserializer::new(name)).map(Some);
            }
        }
        Ok(None)
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        seed.deserialize(Value(std::mem::take(&mut self.value)))
    }
}
