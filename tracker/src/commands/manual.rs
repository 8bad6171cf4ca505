//! `completions` and `man`: what a package installs beside the program, made from the command line's own description.

use std::io;
use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::command_line;

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell that they are for
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct Man {
    /// Write it, and a page of each command, to files in this folder
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub(super) fn completions(wanted: &Completions) {
    let mut program = command_line::description();
    let name = program.get_name().to_owned();
    clap_complete::generate(wanted.shell, &mut program, name, &mut io::stdout());
}

pub(super) fn page(wanted: &Man) -> anyhow::Result<()> {
    let program = command_line::description();
    match &wanted.into {
        Some(folder) => clap_mangen::generate_to(program, folder)?,
        None => clap_mangen::Man::new(program).render(&mut io::stdout().lock())?,
    }
    Ok(())
}
