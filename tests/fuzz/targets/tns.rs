#![no_main]

use homfac::data::source::Format;

libfuzzer_sys::fuzz_target!(init: homfac_fuzz::sow("tns"), |bytes: &[u8]| homfac_fuzz::data_file(Format::Tns, bytes));
