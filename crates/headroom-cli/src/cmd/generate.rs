//! `headroom generate`: man pages and completions, made from the very definitions that parse the
//! command line. Hidden: it is for whoever packages the program, as ripgrep's `--generate` is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::Resettable::Reset;
use clap::{Args, Command, Subcommand};
use clap_complete::Shell;
use headroom_api::exit::Exit;

use crate::print;

/// The section of the manual for what users run (man-pages(7)).
const SECTION: &str = "1";
/// What other pages of the manual there are to read.
const SEE_ALSO: &str = "policy.toml(5), headroom-guard(8), headroom-agent(8)";

/// What `generate` takes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  headroom generate man target/man             a page for each command
  headroom generate completions bash           to standard output")]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// A manual page for each command, into a folder
    Man {
        /// Where to; it is made when it is not there
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// The completions of a shell, to standard output
    Completions {
        /// Whose
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// Generates from the whole command line.
pub(crate) fn run(args: &GenerateArgs, mut command: Command) -> Exit {
    match &args.what {
        What::Man { folder } => match write_pages(&command, folder) {
            Ok(()) => Exit::Done,
            Err(error) => print::failed(&format!("writing to {}: {error}", folder.display())),
        },
        What::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "headroom", &mut script);
            print::result(&String::from_utf8_lossy(&script))
        }
    }
}

fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, page) in pages(command)? {
        fs::write(folder.join(format!("{name}.{SECTION}")), page)?;
    }
    Ok(())
}

/// All pages, each with its name: the command's own, and one for each subcommand however deep.
fn pages(command: &Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut waiting = vec![(command.get_name().to_owned(), command)];
    while let Some((name, command)) = waiting.pop() {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            waiting.push((format!("{name}-{}", sub.get_name()), sub.clone()));
        }
        let page = page(&name, command)?;
        pages.push((name, page));
    }
    Ok(pages)
}

fn page(name: &str, command: Command) -> io::Result<Vec<u8>> {
    // The page is found by the name with dashes; its text names the command as it is typed.
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let command = command.display_name(name.to_owned()).after_help(Reset).after_long_help(Reset);
    let man = clap_mangen::Man::new(command)
        .title(name.to_uppercase())
        .section(SECTION)
        .source(format!("headroom {}", env!("CARGO_PKG_VERSION")))
        .manual("Headroom");
    let mut page = Vec::new();
    man.render(&mut page)?;
    let mut rest = clap_mangen::roff::Roff::new();
    notes(&mut rest, &examples);
    let above = name.rsplit_once('-').map(|(above, _)| format!("{above}({SECTION}), "));
    rest.control("SH", ["SEE ALSO"]);
    rest.text([format!("{}{SEE_ALSO}", above.unwrap_or_default()).into()]);
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// What stands below a command's help: examples as they are typed, everything else as it is read.
fn notes(page: &mut clap_mangen::roff::Roff, text: &str) {
    let (examples, notes): (Vec<&str>, Vec<&str>) = text
        .split("\n\n")
        .filter(|part| !part.trim().is_empty())
        .partition(|part| part.trim_start().starts_with("Examples:"));
    for (nth, note) in notes.into_iter().enumerate() {
        match nth {
            0 => page.control("SH", ["NOTES"]),
            _ => page.control("PP", []),
        };
        page.text([note.trim().to_owned().into()]);
    }
    for example in examples {
        let lines = example.trim().trim_start_matches("Examples:").trim_matches('\n').to_owned();
        page.control("SH", ["EXAMPLES"]).control("nf", []).text([lines.into()]);
        page.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    /// Each command that is shown, with the name of its page.
    fn commands() -> Vec<(String, Command)> {
        let mut top = command().disable_help_subcommand(true);
        top.build();
        let mut all = vec![(top.get_name().to_owned(), top)];
        let mut at = 0;
        while at < all.len() {
            let (name, command) = all[at].clone();
            let subs = command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned();
            all.extend(subs.map(|sub| (format!("{name}-{}", sub.get_name()), sub)));
            at += 1;
        }
        all
    }

    #[test]
    fn every_flag_is_in_its_commands_help_and_manual_page() {
        let pages = pages(&command()).unwrap();
        let mut flags = 0;
        for (name, mut command) in commands() {
            let help = command.render_long_help().to_string();
            let page = pages.iter().find(|(page, _)| *page == name).map(|(_, page)| page);
            let page = String::from_utf8(page.unwrap().clone()).unwrap().replace('\\', "");
            for argument in command.get_arguments() {
                let Some(long) = argument.get_long() else { continue };
                flags += 1;
                assert!(!argument.is_hide_set(), "{name}: a hidden --{long} is a surprise");
                assert!(help.contains(&format!("--{long}")), "--{long} in {name} --help");
                assert!(page.contains(&format!("--{long}")), "--{long} in {name}(1)");
                assert!(argument.get_help().is_some(), "{name} --{long} says nothing");
            }
            assert!(command.get_about().is_some(), "{name} says nothing of itself");
        }
        assert!(flags > 20, "{flags} flags alone");
    }

    #[test]
    fn every_command_that_does_something_has_examples_in_its_page() {
        let pages = pages(&command()).unwrap();
        let page = pages.iter().find(|(name, _)| name == "headroom-setup").unwrap();
        let page = String::from_utf8(page.1.clone()).unwrap();
        assert!(page.contains(".SH EXAMPLES") && page.contains("headroom setup"), "{page}");
        assert!(page.contains("headroom(1), policy.toml(5), headroom\\-guard(8)"), "{page}");
    }

    #[test]
    fn every_shown_command_is_completed_in_every_shell_and_no_hidden_one_has_a_page() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "headroom", &mut script);
            let script = String::from_utf8(script).unwrap();
            for sub in command().get_subcommands().filter(|sub| !sub.is_hide_set()) {
                assert!(script.contains(sub.get_name()), "{} in {shell}", sub.get_name());
            }
        }
        let pages = pages(&command()).unwrap();
        assert!(pages.iter().all(|(name, _)| !name.contains("generate")));
    }
}
