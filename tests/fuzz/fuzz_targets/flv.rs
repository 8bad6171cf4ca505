//! libFuzzer's way into [`fuzz::flv`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::flv(bytes));
