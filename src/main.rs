//! The program `onya`: parses its arguments and runs one subcommand.

use std::process::ExitCode;

use clap::Parser as _;

/// glibc's allocator keeps the memory of a mass disconnect; this one gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Everything that speaks TLS uses this one provider. It fails only when another is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    onya::cli::run(onya::cli::Cli::parse())
}
