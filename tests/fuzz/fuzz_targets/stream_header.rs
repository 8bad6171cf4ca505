//! libFuzzer's way into [`fuzz::stream_header`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::stream_header(bytes));
