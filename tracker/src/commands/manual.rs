//! `completions` and `man`: what a package installs beside the program, made from the command line's own description.

use std::io;

use clap::Args;
use clap_complete::Shell;

use crate::command_line;

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell that they are for
    shell: Shell,
}

pub(super) fn completions(wanted: &Completions) {
    let mut program = command_line::description();
    let name = program.get_name().to_owned();
    clap_complete::generate(wanted.shell, &mut program, name, &mut io::stdout());
}

pub(super) fn page() -> anyhow::Result<()> {
    Ok(clap_mangen::Man::new(command_line::description()).render(&mut io::stdout().lock())?)
}
