//! The program: reads where its settings come from, runs one command, and ends the process. What each command does is
//! in `commands`; they print, nothing else does.

mod command_line;
mod commands;

use std::process::ExitCode;

use command_line::Loaded;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Loaded::from_arguments().and_then(commands::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("swarmcast-tracker: {error:#}");
            ExitCode::FAILURE
        }
    }
}
