//! See `tandem_fuzz::lz4`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tandem_fuzz::lz4::run(data));
