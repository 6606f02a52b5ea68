//! The homfac binary: everything is in the library's `cli`.

fn main() -> std::process::ExitCode {
    homfac::cli::main()
}
