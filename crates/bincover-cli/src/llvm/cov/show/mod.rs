//! `llvm-cov show`: source with counts beside it (LLVM: `CodeCoverageTool::doShow`).
//!
//! `sources` has the text, `tree` is what is shown, `walk` the order in which it is told, `text` and
//! `html` how it looks, `pages` where it goes.

mod html;
mod pages;
mod sources;
mod text;
mod tree;
mod walk;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use bincover::mapping::Detail;
use bincover::model::{FileId, FunctionId};

use super::load::{Loaded, Need, check_profile};
use super::settings::{Format, Settings};
use super::{Console, Output, Stop, shown};
use crate::llvm::options::{Program, Spec, Takes};
use crate::llvm::os_words;
use sources::Sources;
use walk::Skin;

pub(super) const SPECS: &[Spec] = &[
    Spec::new("show-line-counts", Takes::Flag),
    Spec::new("show-regions", Takes::Flag),
    Spec::new("show-branches", Takes::OneOf(&["count", "percent"])),
    Spec::new("show-mcdc", Takes::Flag),
    Spec::new("show-line-counts-or-regions", Takes::Flag),
    Spec::new("show-expansions", Takes::Flag),
    Spec::new("show-instantiations", Takes::Flag),
    Spec::new("show-directory-coverage", Takes::Flag),
    Spec::new("show-created-time", Takes::Flag),
    Spec::new("binary-counters", Takes::Flag),
];

/// How branches are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Branches {
    Count,
    Percent,
}

/// What is shown, and how (LLVM: `CoverageViewOptions`).
#[derive(Debug)]
struct Look {
    console: Console,
    line_counts: bool,
    region_markers: bool,
    expansions: bool,
    branches: Option<Branches>,
    mcdc: bool,
    instantiations: bool,
    directories: bool,
    /// Counts of lines and branches are 0 or 1.
    binary_counts: bool,
    output_dir: Option<PathBuf>,
    tab_size: usize,
    title: String,
    /// `Created: ` and a time, or nothing.
    created: String,
    /// From which percentage on a summary is green, and below which it is red.
    watermarks: (f32, f32),
}

pub(super) fn run(program: &Program, args: Vec<OsString>) -> Result<(), Stop> {
    let settings = Settings::read(program, SPECS, args)?;
    let mut look = Look::read(&settings)?;
    check_profile(&settings)?;
    look.created = created(&settings);
    let need = Need {
        all_functions: false,
        detail: Detail::All,
    };
    let loaded = Loaded::load(&settings, need)?;
    look.binary_counts |= loaded.is_byte_coverage;
    let shown = Shown {
        sources: Sources::new(&loaded, settings.console),
        settings: &settings,
        loaded: &loaded,
        look: &look,
    };
    shown.show()
}

impl Look {
    fn read(settings: &Settings) -> Result<Self, Stop> {
        let (parsed, console) = (&settings.parsed, settings.console);
        if settings.format == Format::Lcov {
            return Err(console.fatal("lcov format should be used with 'llvm-cov export'."));
        }
        let watermarks = watermarks(settings)?;
        let output_dir = parsed.value("output-dir").filter(|path| !path.is_empty());
        if let Some(folder) = output_dir {
            std::fs::create_dir_all(folder).map_err(|error| {
                console.fatal(format_args!(
                    "{}: could not create output directory!",
                    os_words(&error)
                ))
            })?;
        }
        let (regions, best) = (
            parsed.flag("show-regions"),
            parsed.flag("show-line-counts-or-regions"),
        );
        let tab_size = parsed.number("tab-size").unwrap_or(2);
        Ok(Self {
            console,
            line_counts: parsed.value("show-line-counts").is_some() || !regions || best,
            region_markers: regions || best,
            expansions: parsed.flag("show-expansions"),
            branches: match parsed.text("show-branches").as_deref() {
                Some("count") => Some(Branches::Count),
                Some(_) => Some(Branches::Percent),
                None => None,
            },
            mcdc: parsed.flag("show-mcdc"),
            instantiations: parsed.switch("show-instantiations").unwrap_or(true),
            directories: parsed.flag("show-directory-coverage"),
            binary_counts: parsed.flag("binary-counters"),
            output_dir: output_dir.map(PathBuf::from),
            tab_size: usize::try_from(tab_size).unwrap_or(2).clamp(1, 1 << 10),
            title: parsed.text("project-title").unwrap_or_default(),
            created: String::new(),
            watermarks,
        })
    }

    /// A count, in few letters.
    fn count(&self, count: u64) -> String {
        match (self.binary_counts, count) {
            (true, 0) => "0".to_owned(),
            (true, _) => "1".to_owned(),
            (false, _) => short_count(count),
        }
    }
}

/// Three digits, and a letter for the thousands. It is cut, not rounded.
fn short_count(count: u64) -> String {
    let digits = count.to_string();
    if digits.len() <= 3 {
        return digits;
    }
    let whole = match digits.len() % 3 {
        0 => 3,
        rest => rest,
    };
    let unit = ["", "k", "M", "G", "T", "P", "E"][(digits.len() - 1) / 3];
    match whole {
        3 => format!("{}{unit}", &digits[..3]),
        _ => format!("{}.{}{unit}", &digits[..whole], &digits[whole..3]),
    }
}

fn watermarks(settings: &Settings) -> Result<(f32, f32), Stop> {
    let Some(given) = settings
        .parsed
        .text("coverage-watermark")
        .filter(|given| !given.is_empty())
    else {
        return Ok((100.0, 80.0));
    };
    let fail = |problem: String| {
        let console = settings.console;
        Err(console.fatal(format_args!("-coverage-watermark: {problem}")))
    };
    let (high, low) = match given.split_once(',') {
        Some((high, low)) if !high.is_empty() && !low.is_empty() => (high, low),
        _ => {
            return fail(format!(
                "invalid argument '{given}', must be in format 'high,low'"
            ));
        }
    };
    let mut numbers = [0f32; 2];
    for ((number, text), name) in numbers.iter_mut().zip([high, low]).zip(["high", "low"]) {
        match text.trim_start().parse() {
            Ok(parsed) => *number = parsed,
            Err(_) => {
                return fail(format!(
                    "invalid number '{text}', invalid value for '{name}'"
                ));
            }
        }
    }
    let [high, low] = numbers;
    if high > 100.0 || low < 0.0 || high <= low {
        return fail(format!(
            "invalid number range '{given}', must be both high and low should be between 0-100, and high > low"
        ));
    }
    Ok((high, low))
}

/// When the profile was written, by the clock on the wall.
fn created(settings: &Settings) -> String {
    let wanted = settings.parsed.switch("show-created-time").unwrap_or(true);
    let profile = settings.profile.as_ref().filter(|_| wanted);
    let modified = profile.and_then(|path| std::fs::metadata(path).ok()?.modified().ok());
    modified.map_or_else(String::new, |time| format!("Created: {}", wall_clock(time)))
}

fn wall_clock(time: SystemTime) -> String {
    let Ok(timestamp) = jiff::Timestamp::try_from(time) else {
        return String::new();
    };
    let zoned = timestamp.to_zoned(jiff::tz::TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M").to_string()
}

/// All that is needed to show something.
struct Shown<'a> {
    settings: &'a Settings,
    loaded: &'a Loaded,
    look: &'a Look,
    sources: Sources<'a>,
}

impl<'a> Shown<'a> {
    fn show(&self) -> Result<(), Stop> {
        let files = self.files();
        let skin: Box<dyn Skin> = match self.settings.format {
            Format::Html => Box::new(html::Html::new(self.look)),
            _ => Box::new(text::Text::new(self.look)),
        };
        if let Some(folder) = &self.look.output_dir {
            let pages = pages::Pages {
                settings: self.settings,
                loaded: self.loaded,
                look: self.look,
                folder,
            };
            pages.write_index(&files).map_err(|error| {
                let words = os_words(&error);
                let console = self.look.console;
                console.fatal(format_args!("{words}: could not create index file!"))
            })?;
        }
        match self.settings.filters.is_empty() {
            true => self.show_files(&files, &*skin),
            false => self.show_functions(&files, &*skin),
        }
    }

    /// Those given, in that order, or all by name.
    fn files(&self) -> Vec<FileId> {
        match self.settings.sources.is_empty() {
            true => self.loaded.files_not_ignored(self.settings),
            false => self.loaded.given().to_vec(),
        }
    }

    fn show_files(&self, files: &[FileId], skin: &dyn Skin) -> Result<(), Stop> {
        let has_folder = self.look.output_dir.is_some();
        let with_names = files.len() != 1 || has_folder || self.settings.format == Format::Html;
        for id in files {
            let name = &self.loaded.file(*id).name;
            let Some(node) = self.file_node(*id) else {
                self.look
                    .console
                    .warning(format_args!("The file '{}' isn't covered.", shown(name)));
                continue;
            };
            self.write_page(name, skin, |out| {
                walk::print(
                    skin,
                    &node,
                    &walk::Frame {
                        whole_file: true,
                        source_name: with_names,
                        title: has_folder,
                        depth: 0,
                    },
                    out,
                )
            })
            .or_else(|error| match error {
                // LLVM goes on with the next file.
                PageError::NotMade(error) => {
                    self.say_not_made(&error);
                    Ok(())
                }
                PageError::Stop(stop) => Err(stop),
            })?;
        }
        Ok(())
    }

    /// The functions that match, by file.
    fn show_functions(&self, files: &[FileId], skin: &dyn Skin) -> Result<(), Stop> {
        let mut files = files.to_vec();
        files.sort();
        for same in files.chunk_by(|a, b| a == b) {
            let file = self.loaded.file(same[0]);
            // A file that was named twice has its functions twice.
            let matching: Vec<FunctionId> = same
                .iter()
                .flat_map(|_| &file.functions)
                .copied()
                .filter(|id| {
                    let function = self.loaded.coverage.function(*id);
                    self.settings.filters.matches(function)
                })
                .collect();
            if matching.is_empty() {
                continue;
            }
            let mut title = self.look.output_dir.is_some();
            self.write_page(&file.name, skin, |out| {
                for id in &matching {
                    let Some(node) = self.function_node(*id) else {
                        let name = &self.loaded.coverage.function(*id).name;
                        self.look.console.warning(format_args!(
                            "Could not read coverage for '{}'.",
                            shown(name)
                        ));
                        continue;
                    };
                    let frame = walk::Frame {
                        whole_file: false,
                        source_name: true,
                        title: std::mem::take(&mut title),
                        depth: 0,
                    };
                    walk::print(skin, &node, &frame, out)?;
                }
                Ok(())
            })
            .map_err(|error| match error {
                PageError::NotMade(error) => {
                    self.say_not_made(&error);
                    Stop(crate::exit::Exit::Failure)
                }
                PageError::Stop(stop) => stop,
            })?;
        }
        Ok(())
    }

    fn say_not_made(&self, error: &io::Error) {
        let words = os_words(error);
        self.look
            .console
            .error(format_args!("{words}: could not create view file!"));
    }

    /// To standard output, or to the file's own page.
    fn write_page(
        &self,
        name: &[u8],
        skin: &dyn Skin,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), PageError> {
        let Some(folder) = &self.look.output_dir else {
            let mut output = Output::new();
            let written = skin
                .begin_page(None, &mut output.0)
                .and_then(|()| write(&mut output.0))
                .and_then(|()| skin.end_page(&mut output.0));
            return output.finish(written).map_err(PageError::Stop);
        };
        let path = pages::page_path(name, skin.extension(), false);
        let mut file = pages::create(folder, &path).map_err(PageError::NotMade)?;
        skin.begin_page(Some(&path), &mut file)
            .and_then(|()| write(&mut file))
            .and_then(|()| skin.end_page(&mut file))
            .and_then(|()| file.flush())
            .map_err(PageError::NotMade)
    }
}

enum PageError {
    NotMade(io::Error),
    Stop(Stop),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        let table = [
            (0, "0"),
            (999, "999"),
            (1234, "1.23k"),
            (12345, "12.3k"),
            (123_456, "123k"),
            (1_999_999, "1.99M"),
            (u64::MAX, "18.4E"),
        ];
        for (count, expected) in table {
            assert_eq!(short_count(count), expected);
        }
    }
}
