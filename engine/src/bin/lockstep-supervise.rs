//! The supervisor as a program of its own, for processes that embed the engine and cannot be entered as one themselves,
//! such as tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    lockstep_engine::supervisor::entered().unwrap_or(ExitCode::from(2))
}
