//! libFuzzer's way into [`fuzz::rtmp`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::rtmp(bytes));
