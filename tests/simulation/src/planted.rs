//! The program `simulation` with a promise broken on purpose, to be found: which one, the variable `PLANTED_FAULT` says.

use std::process::ExitCode;

fn main() -> ExitCode {
    onya_simulation::main()
}
