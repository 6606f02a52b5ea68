#![no_main]

use homfac::data::source::Format;

libfuzzer_sys::fuzz_target!(init: homfac_fuzz::sow("mtx"), |bytes: &[u8]| homfac_fuzz::data_file(Format::MatrixMarket, bytes));
