#![no_main]

use homfac::data::source::Format;

libfuzzer_sys::fuzz_target!(init: homfac_fuzz::sow("npy"), |bytes: &[u8]| homfac_fuzz::data_file(Format::Npy, bytes));
