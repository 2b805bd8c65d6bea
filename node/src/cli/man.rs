//! `muster man`: the manual pages, made from the command line's own description.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::output::Output;
use super::{EXIT_CODES, FIRST_STEPS, command};
use crate::error::CommandError;

/// The name of the program's own page; no command below it is called so.
const PROGRAM: &str = "muster";

/// The files of a home, for the page of the program itself.
const FILES: [(&str, &str); 5] = [
    ("role.key", "The role key, an OpenSSH private key; mode 0600 or it is refused."),
    ("roster.cbor", "The signed roster: who is who, and the group keys, each sealed to its readers."),
    ("muster.toml", "Settings, if there are any; see `muster config show`."),
    ("muster.redb", "The week's messages, as they travelled: encrypted."),
    ("muster.log", "What the node did; never what was said."),
];

/// Print the manual page, or write the pages of all commands
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder to write every command's page to, as muster-COMMAND.1 [default: print the program's own page]
    #[arg(long, env = "MUSTER_OUT", value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, output: &mut Output) -> Result<(), CommandError> {
    let mut program = command().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &args.out else {
        let page = page(&program).map_err(|error| CommandError::output(&error))?;
        return output.text(&page);
    };
    let failed = |error: io::Error| {
        CommandError::failed(format!("the manual pages cannot be written to {}", folder.display())).because(&error)
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let count = write_pages(&program, folder).map_err(failed)?;
    output.line(format_args!("{count} pages in {}", folder.display()))
}

/// Writes the pages of a command and of those below it, and returns how many they were.
fn write_pages(command: &Command, folder: &Path) -> io::Result<usize> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    fs::write(folder.join(format!("{name}.1")), page(command)?)?;
    let below = command.get_subcommands().filter(|command| !command.is_hide_set());
    below.map(|command| write_pages(command, folder)).sum::<io::Result<usize>>().map(|count| count + 1)
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let is_program = command.get_name() == PROGRAM;
    // What stands below the program's help gets sections of its own.
    let described = if is_program { command.clone().after_help("") } else { command.clone() };
    let man = Man::new(described).manual("Muster").source(concat!("muster ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if is_program {
        write!(page, ".SH \"FIRST STEPS\"\n.nf\n{}\n.fi\n", escaped(FIRST_STEPS))?;
        writeln!(page, ".SH FILES\nIn the home folder:")?;
        for (name, what) in FILES {
            write!(page, ".TP\n\\fI{}\\fR\n{}\n", escaped(name), escaped(what))?;
        }
        write!(page, ".SH \"EXIT STATUS\"\n{}\n", escaped(EXIT_CODES))?;
    } else {
        write!(page, ".SH \"SEE ALSO\"\n\\fBmuster\\fR(1)\n")?;
    }
    Ok(page)
}

/// A text in which roff sees no commands of its own.
fn escaped(text: &str) -> String {
    let escape = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    };
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_roff_would_take_for_a_command_is_escaped() {
        assert_eq!(escaped("--home a\\b\n.nf\n'x"), "\\-\\-home a\\eb\n\\&.nf\n\\&'x");
    }
}
