//! `doorward import`: the configuration of another maker's agent becomes one of ours. What has no equivalent is
//! listed at its end; nothing is dropped silently, and nothing is opened that was not open.

mod draft;
mod name_value;
mod openam;
mod proxyrules;
mod realms;
mod shared;
mod siteminder;
mod source;
mod table;
mod write;
mod xml;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use draft::{Draft, Kind};
use name_value::Syntax;
use source::{Malformed, Source};

use super::{bad_configuration, failed};

/// The exit code when something that protects could not be taken over.
const WEAKER: u8 = 3;

/// What to import.
#[derive(Args)]
pub(crate) struct Options {
    /// An agent configuration (ACO) of a SiteMinder agent, as lines of name="value"; also its SmHost.conf.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["proxyrules", "openam_agent"])]
    siteminder_aco: Vec<PathBuf>,
    /// The proxyrules.xml of a SiteMinder Access Gateway.
    #[arg(long, value_name = "FILE")]
    proxyrules: Option<PathBuf>,
    /// A properties file of an OpenAM, ForgeRock AM or PingAM agent; with a second one, both together.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["siteminder_aco", "proxyrules"])]
    openam_agent: Vec<PathBuf>,
    /// Write into this new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Prints the configuration, and on standard error how much was taken over.
pub(crate) fn run(options: &Options) -> ExitCode {
    let imported = match read(options).and_then(Import::new) {
        Ok(imported) => imported,
        Err(malformed) => {
            let lines: Vec<String> = malformed.iter().map(ToString::to_string).collect();
            return bad_configuration(lines.join("\n"));
        }
    };
    if let Err(error) = print(&imported.text, options.output.as_deref()) {
        return failed(error);
    }
    eprintln!("{}", imported.summary());
    imported.code()
}

/// Everything that is read before anything is decided.
struct Sources {
    siteminder: Vec<Source>,
    proxyrules: Option<Source>,
    openam: Vec<Source>,
}

fn read(options: &Options) -> Result<Sources, Vec<Malformed>> {
    let mut malformed = Vec::new();
    let mut all = |paths: &[PathBuf]| -> Vec<Source> {
        let read = paths.iter().map(|path| Source::read(path));
        read.filter_map(|source| source.map_err(|error| malformed.push(error)).ok())
            .collect()
    };
    let sources = Sources {
        siteminder: all(&options.siteminder_aco),
        proxyrules: all(options.proxyrules.as_slice()).pop(),
        openam: all(&options.openam_agent),
    };
    if malformed.is_empty() {
        Ok(sources)
    } else {
        Err(malformed)
    }
}

/// A finished import.
struct Import {
    text: String,
    draft: Draft,
}

impl Import {
    fn new(sources: Sources) -> Result<Self, Vec<Malformed>> {
        let mut draft = Draft::default();
        let mut malformed = Vec::new();
        for (files, syntax) in [
            (&sources.siteminder, Syntax::Aco),
            (&sources.openam, Syntax::Properties),
        ] {
            if files.is_empty() {
                continue;
            }
            let mut settings = Vec::new();
            for file in files {
                match name_value::read(file, syntax) {
                    Ok(read) => settings.extend(read),
                    Err(errors) => malformed.extend(errors),
                }
            }
            let applied = match syntax {
                Syntax::Aco => siteminder::apply(settings, &mut draft),
                Syntax::Properties => openam::apply(settings, &mut draft),
            };
            malformed.extend(applied.err().into_iter().flatten());
        }
        if let Some(file) = &sources.proxyrules {
            let applied = proxyrules::apply(file, &mut draft);
            malformed.extend(applied.err().into_iter().flatten());
        }
        if !malformed.is_empty() {
            return Err(malformed);
        }
        let realms = realms::realms(&mut draft);
        let files = sources.siteminder.iter().chain(&sources.proxyrules);
        let names: Vec<String> = files
            .chain(&sources.openam)
            .map(|source| source.name.to_string())
            .collect();
        Ok(Self {
            text: write::configuration(&draft, &realms, &names),
            draft,
        })
    }

    /// One line for people.
    fn summary(&self) -> String {
        let count = |kind| self.draft.count(kind);
        let mut line = format!(
            "{} settings and rules read: {} values taken over; {} notes on what needs no setting, {} on what is missing \
             here, {} on what is closed here, {} on what is weaker here",
            self.draft.settings,
            self.draft.taken,
            count(Kind::Nothing),
            count(Kind::Missing),
            count(Kind::Closed),
            count(Kind::Weaker),
        );
        if count(Kind::Weaker) > 0 {
            line.push_str("\nwarning: look at `LOOK AT THESE FIRST` at the end of the configuration before it is used");
        }
        line
    }

    fn code(&self) -> ExitCode {
        if self.draft.count(Kind::Weaker) > 0 {
            ExitCode::from(WEAKER)
        } else {
            ExitCode::SUCCESS
        }
    }
}

fn print(text: &str, output: Option<&Path>) -> Result<(), String> {
    match output {
        Some(path) => OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| format!("cannot write {}: {error}", path.display())),
        None => std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| format!("cannot write: {error}")),
    }
}

#[cfg(test)]
mod tests;
