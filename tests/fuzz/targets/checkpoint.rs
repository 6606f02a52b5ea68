#![no_main]

libfuzzer_sys::fuzz_target!(init: homfac_fuzz::sow("checkpoint"), |bytes: &[u8]| homfac_fuzz::checkpoint_file(bytes));
