use std::io::{self, Write};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::arguments::Arguments;

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew completions bash > ~/.local/share/bash-completion/completions/unskew
  unskew completions zsh > ~/.zfunc/_unskew
  unskew completions fish > ~/.config/fish/completions/unskew.fish";

/// Print a script that completes commands and options in a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &CompletionsArguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "unskew", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}
