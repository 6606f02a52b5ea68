#![no_main]

libfuzzer_sys::fuzz_target!(init: homfac_fuzz::sow("run"), |bytes: &[u8]| homfac_fuzz::run_file(bytes));
