//! libFuzzer's way into [`fuzz::datagram`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::datagram(bytes));
