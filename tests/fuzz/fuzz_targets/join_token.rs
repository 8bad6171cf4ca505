//! libFuzzer's way into [`fuzz::join_token`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::join_token(bytes));
