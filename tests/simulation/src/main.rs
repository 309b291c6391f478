//! The program `simulation`: whole nodes in simulated time.

use std::process::ExitCode;

fn main() -> ExitCode {
    onya_simulation::main()
}
