//! libFuzzer's way into [`fuzz::signalling`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::signalling(bytes));
