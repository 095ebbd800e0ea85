//! Any bytes as text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xdnn_fuzz::judge(&String::from_utf8_lossy(bytes)));
