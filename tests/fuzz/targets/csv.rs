#![no_main]

use homfac::data::source::Format;

libfuzzer_sys::fuzz_target!(init: homfac_fuzz::sow("csv"), |bytes: &[u8]| homfac_fuzz::data_file(Format::Csv, bytes));
