//! The program `onya` with a promise broken on purpose: which one, the variable `PLANTED_FAULT` says. It exists to be
//! found out by the fault campaigns, and is built in no other way than by the feature `planted`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // As in the program itself; it fails only when another is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    onya::cli::run(onya::cli::Cli::parse())
}
