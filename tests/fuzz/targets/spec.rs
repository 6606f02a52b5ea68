#![no_main]

libfuzzer_sys::fuzz_target!(init: homfac_fuzz::sow("spec"), |bytes: &[u8]| homfac_fuzz::spec_file(bytes));
