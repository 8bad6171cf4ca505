//! libFuzzer's way into [`fuzz::peer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::peer(bytes));
