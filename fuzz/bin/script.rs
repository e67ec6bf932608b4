//! See `tandem_fuzz::script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tandem_fuzz::script::run(data));
