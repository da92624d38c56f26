//! Cobertura's XML, after
//! [coverage-04.dtd](https://github.com/cobertura/cobertura/blob/f986347ec66fe9443c6f48d0995c658ed34c1704/cobertura/src/site/htdocs/xml/coverage-04.dtd),
//! as gcovr, coverage.py, cargo-llvm-cov, gocover-cobertura and this project write it.
//!
//! - The lines of a class are its file's; those of its methods repeat them, and are read only where
//!   the class itself has none. Several classes of one file add up.
//! - A **method** is a function that begins at its first line and was entered as often as that. One
//!   without lines is nowhere.
//! - Of **branches** the report has how many outcomes of a line were taken: `(3/4)` is read as four
//!   outcomes of which the first three were taken once. Where `condition` elements tell the same
//!   number, they tell which pairs these were. So when reports are merged, outcomes that were taken
//!   are at least so many.
//! - **File names** are relative to a `source`; of several, to the first in which the file exists.
//! - Totals and rates are not read: they are counted again.
//!
//! There is no DTD to be read, so no entity but XML's own five can be used.

use bincover_model::Coverage;
use bstr::{BStr, BString, ByteSlice};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader as Xml, XmlVersion};

use crate::error::{Error, ErrorKind, Result, shown};
use crate::gathered::{Files, Named};
use crate::kind::MARK;
use crate::limits::{
    MAX_DEPTH, MAX_FILE_NAME, MAX_FUNCTION_NAME, MAX_LINE, MAX_LINES, MAX_LOOKS, MAX_OUTCOMES,
    MAX_OUTCOMES_OF_LINE, MAX_SOURCES,
};

/// Reads a report. `exists` is asked for files where there are several folders of sources.
///
/// # Errors
/// If it is not well-formed, not UTF-8, or not Cobertura's.
pub fn read(bytes: &[u8], exists: &dyn Fn(&BStr) -> bool) -> Result<Coverage> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let found = shown(bytes[at..].get(..4).unwrap_or(&bytes[at..]));
        Error::new(ErrorKind::Malformed, "text", bytes, at, "UTF-8", found)
    })?;
    let mut reader = Reader {
        bytes,
        at: 0,
        open: Vec::new(),
        saw_root: false,
        sources: Vec::new(),
        class: None,
        files: Files::default(),
        last_lines: 0,
        outcomes: 0,
        looks_left: MAX_LOOKS,
    };
    let mark = bytes.len() - bytes.strip_prefix(MARK).unwrap_or(bytes).len();
    let mut xml = Xml::from_str(&text[mark..]);
    xml.config_mut().expand_empty_elements = true;
    let mut source: Option<String> = None;
    loop {
        reader.at = mark + usize::try_from(xml.buffer_position()).unwrap_or(usize::MAX);
        let event = xml.read_event().map_err(|error| {
            let at = mark + usize::try_from(xml.error_position()).unwrap_or(usize::MAX);
            let expected = "well-formed XML";
            Error::new(ErrorKind::Malformed, "XML", bytes, at, expected, error)
        })?;
        match event {
            Event::Start(start) => {
                reader.start(&start)?;
                if reader.open.last() == Some(&Element::Source) {
                    source = Some(String::new());
                }
            }
            Event::End(_) => {
                if let Some(source) = source.take() {
                    let source = source.trim();
                    reader.fits("source", source.as_bytes(), MAX_FILE_NAME)?;
                    reader.sources.push(source.into());
                }
                reader.end(exists)?;
            }
            Event::Text(text) => {
                if let Some(source) = &mut source {
                    source.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let Some(source) = &mut source {
                    source.push_str(&text);
                }
            }
            Event::GeneralRef(entity) => {
                let text = resolved(&entity);
                let text = text.ok_or_else(|| {
                    let expected = "an entity of XML's own, such as &amp;";
                    reader.wrong("entity", expected, entity.as_bytes())
                })?;
                if let Some(source) = &mut source {
                    source.push(text);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if !reader.open.is_empty() || !reader.saw_root {
        let expected = match reader.open.is_empty() {
            true => "an element `coverage`",
            false => "the ends of all elements",
        };
        let (kind, found) = (ErrorKind::Truncated, "the end of the file");
        return Err(Error::new(kind, "XML", bytes, bytes.len(), expected, found));
    }
    Ok(reader.files.into_coverage())
}

/// An entity that XML itself has, or a character by its number.
fn resolved(entity: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(character)) = entity.resolve_char_ref() {
        return Some(character);
    }
    match &**entity {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// What an element is, where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Coverage,
    Sources,
    Source,
    Packages,
    Package,
    Classes,
    Class,
    Methods,
    Method,
    MethodLines,
    ClassLines,
    Line,
    Conditions,
    Condition,
    /// Not known, and passed over with all that is in it.
    Other,
}

/// A `class` as it is read.
struct Class {
    file: BString,
    lines: Vec<Line>,
    of_methods: Vec<Line>,
    /// Each with its first line and the hits of that.
    methods: Vec<(String, Option<(u32, u64)>)>,
    last_line: u32,
}

/// A `line`.
struct Line {
    number: u32,
    hits: u64,
    /// Taken, of how many.
    outcomes: Option<(u64, u64)>,
    /// For each `condition`, how many of its two sides were taken.
    conditions: Vec<u64>,
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    open: Vec<Element>,
    saw_root: bool,
    sources: Vec<BString>,
    class: Option<Class>,
    files: Files,
    last_lines: u64,
    outcomes: u64,
    /// How often it may still be asked whether a file exists.
    looks_left: u64,
}

impl Reader<'_> {
    #[cold]
    fn wrong(&self, what: &'static str, expected: &str, found: &[u8]) -> Error {
        let kind = ErrorKind::Malformed;
        Error::new(kind, what, self.bytes, self.at, expected, shown(found))
    }

    fn fits(&self, what: &'static str, name: &[u8], most: usize) -> Result<()> {
        match name.len() {
            found if found > most => Err(Error::too_long(what, self.bytes, self.at, most, found)),
            _ => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<()> {
        use Element as E;
        let name = start.name();
        let name: &str = name.as_ref();
        let element = match (self.open.last(), name) {
            (None, "coverage") if !self.saw_root => E::Coverage,
            (None, _) => return Err(self.wrong("root", "one element `coverage`", name.as_bytes())),
            (Some(E::Coverage), "sources") => E::Sources,
            (Some(E::Coverage), "packages") => E::Packages,
            // Clover's and SonarQube's roots have the same name.
            (Some(E::Coverage), "project" | "file" | "testproject") => {
                return Err(self.wrong("element", "`packages`", name.as_bytes()));
            }
            (Some(E::Sources), "source") => E::Source,
            (Some(E::Packages), "package") => E::Package,
            (Some(E::Package), "classes") => E::Classes,
            (Some(E::Classes), "class") => E::Class,
            (Some(E::Class), "methods") => E::Methods,
            (Some(E::Methods), "method") => E::Method,
            (Some(E::Method), "lines") => E::MethodLines,
            (Some(E::Class), "lines") => E::ClassLines,
            (Some(E::MethodLines | E::ClassLines), "line") => E::Line,
            (Some(E::Line), "conditions") => E::Conditions,
            (Some(E::Conditions), "condition") => E::Condition,
            _ => E::Other,
        };
        if self.open.len() == MAX_DEPTH {
            let expected = format_args!("no more than {MAX_DEPTH} inside each other");
            let (kind, found) = (ErrorKind::TooLarge, shown(name.as_bytes()));
            let what = "elements";
            return Err(Error::new(kind, what, self.bytes, self.at, expected, found));
        }
        match element {
            E::Coverage => self.saw_root = true,
            E::Class => {
                let [file] = self.attributes(start, ["filename"])?;
                let file = file.ok_or_else(|| self.wrong("class", "a filename", b""))?;
                self.fits("file name", file.as_bytes(), MAX_FILE_NAME)?;
                self.class = Some(Class {
                    file: file.into(),
                    lines: Vec::new(),
                    of_methods: Vec::new(),
                    methods: Vec::new(),
                    last_line: 0,
                });
            }
            E::Method => {
                let [name] = self.attributes(start, ["name"])?;
                let name = name.unwrap_or_default();
                self.fits("method name", name.as_bytes(), MAX_FUNCTION_NAME)?;
                if let Some(class) = &mut self.class {
                    class.methods.push((name, None));
                }
            }
            E::Line => self.line(start)?,
            E::Condition => {
                let [coverage] = self.attributes(start, ["coverage"])?;
                let taken = match coverage.as_deref().map(|text| text.trim_end_matches('%')) {
                    Some("100") => 2,
                    Some("50") => 1,
                    _ => 0,
                };
                if let Some(line) = self.last_line() {
                    line.conditions.push(taken);
                }
            }
            _ => {}
        }
        self.open.push(element);
        Ok(())
    }

    /// The line that is open, or was last.
    fn last_line(&mut self) -> Option<&mut Line> {
        let of_method = self.open.contains(&Element::Method);
        let class = self.class.as_mut()?;
        match of_method {
            true => class.of_methods.last_mut(),
            false => class.lines.last_mut(),
        }
    }

    fn line(&mut self, start: &BytesStart<'_>) -> Result<()> {
        let names = ["number", "hits", "condition-coverage"];
        let [number, hits, covered] = self.attributes(start, names)?;
        let number = self.number("line number", number.as_deref())?;
        let number = u32::try_from(number).ok();
        let number = number.filter(|number| (0..=MAX_LINE).contains(number));
        let number = number.ok_or_else(|| {
            let expected = format_args!("0 to {MAX_LINE}");
            let (kind, found) = (ErrorKind::TooLarge, start.attributes_raw().trim());
            let what = "line number";
            Error::new(
                kind,
                what,
                self.bytes,
                self.at,
                expected,
                shown(found.as_bytes()),
            )
        })?;
        let hits = self.number("hits", hits.as_deref())?;
        let outcomes = match covered {
            Some(covered) => Some(self.outcomes(&covered)?),
            None => None,
        };
        let of_method = self.open.contains(&Element::Method);
        let Some(class) = &mut self.class else {
            return Ok(());
        };
        class.last_line = class.last_line.max(number);
        if of_method && let Some((_, first)) = class.methods.last_mut() {
            match first {
                Some((line, _)) if *line <= number => {}
                _ => *first = Some((number, hits)),
            }
        }
        let line = Line {
            number,
            hits,
            outcomes,
            conditions: Vec::new(),
        };
        match of_method {
            true => class.of_methods.push(line),
            false => class.lines.push(line),
        }
        Ok(())
    }

    /// `75% (3/4)`.
    fn outcomes(&self, text: &str) -> Result<(u64, u64)> {
        let inner = text
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'));
        let parts = inner.and_then(|(inner, _)| inner.split_once('/'));
        let parts = parts
            .and_then(|(taken, all)| Some((taken.trim().parse().ok()?, all.trim().parse().ok()?)));
        let (taken, all): (u64, u64) =
            parts.filter(|(taken, all)| taken <= all).ok_or_else(|| {
                self.wrong("condition-coverage", "such as 75% (3/4)", text.as_bytes())
            })?;
        if all > MAX_OUTCOMES_OF_LINE {
            let expected = format_args!("no more than {MAX_OUTCOMES_OF_LINE} of a line");
            let (kind, what) = (ErrorKind::TooLarge, "outcomes");
            return Err(Error::new(kind, what, self.bytes, self.at, expected, all));
        }
        Ok((taken, all))
    }

    fn number(&self, what: &'static str, text: Option<&str>) -> Result<u64> {
        let expected = "a whole number from 0 to 2^64 - 1";
        let text = text.ok_or_else(|| self.wrong(what, expected, b""))?;
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_plain);
        number.ok_or_else(|| self.wrong(what, expected, text.as_bytes()))
    }

    /// The values of these attributes.
    fn attributes<const N: usize>(
        &self,
        start: &BytesStart<'_>,
        names: [&str; N],
    ) -> Result<[Option<String>; N]> {
        let mut values = [const { None }; N];
        // To look for doubles takes time in square.
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| {
                let (kind, what) = (ErrorKind::Malformed, "attribute");
                Error::new(kind, what, self.bytes, self.at, "name=\"value\"", error)
            })?;
            let key: &str = attribute.key.as_ref();
            if let Some(index) = names.iter().position(|name| *name == key) {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                let value = value.map_err(|error| {
                    let (kind, what) = (ErrorKind::Malformed, "attribute");
                    Error::new(kind, what, self.bytes, self.at, "text", error)
                })?;
                values[index] = Some(value.into_owned());
            }
        }
        Ok(values)
    }

    fn end(&mut self, exists: &dyn Fn(&BStr) -> bool) -> Result<()> {
        if self.open.pop() == Some(Element::Class)
            && let Some(class) = self.class.take()
        {
            self.finish(class, exists)?;
        }
        Ok(())
    }

    fn finish(&mut self, class: Class, exists: &dyn Fn(&BStr) -> bool) -> Result<()> {
        let lines = match class.lines.is_empty() {
            true => class.of_methods,
            false => class.lines,
        };
        let outcomes = lines.iter().filter_map(|line| line.outcomes);
        self.outcomes += outcomes.map(|(_, all)| all).sum::<u64>();
        self.last_lines += u64::from(class.last_line);
        for (what, sum, limit) in [
            ("outcomes", self.outcomes, MAX_OUTCOMES),
            ("last lines", self.last_lines, MAX_LINES),
        ] {
            if sum > limit {
                let expected = format_args!("no more than {limit} in all files");
                let kind = ErrorKind::TooLarge;
                return Err(Error::new(kind, what, self.bytes, self.at, expected, sum));
            }
        }
        let name = self.located(class.file, exists);
        self.fits("file name with its source", &name, MAX_FILE_NAME)?;
        let file = self.files.file(name.as_bstr());
        file.begin_part();
        for line in &lines {
            file.add_line(line.number, line.hits);
            // LLVM has lines that did not run, with a branch on them that was taken.
            let is_reached = line.hits > 0 || line.outcomes.is_some_and(|(taken, _)| taken > 0);
            for (place, is_taken) in line.places() {
                let count = is_reached.then_some(u64::from(is_taken));
                file.add_outcome(place, count);
            }
        }
        for (name, first) in &class.methods {
            let (line, hits) = first.unwrap_or_default();
            file.push_function(Named {
                line,
                name: name.as_bytes().into(),
                last_line: None,
                count: hits,
                group: None,
            });
        }
        Ok(())
    }

    /// The file's name with its folder.
    fn located(&mut self, file: BString, exists: &dyn Fn(&BStr) -> bool) -> BString {
        if file.starts_with(b"/") {
            return file;
        }
        let below = |source: &BString| -> BString {
            match source.as_slice() {
                b"" | b"." => file.clone(),
                source if source.ends_with(b"/") => [source, &file].concat().into(),
                source => [source, b"/", &file].concat().into(),
            }
        };
        let Some(first) = self.sources.first().map(below) else {
            return file;
        };
        if self.sources.len() == 1 {
            return first;
        }
        let most = usize::try_from(self.looks_left).unwrap_or(usize::MAX);
        let looked_in = self.sources.iter().take(most.min(1 + MAX_SOURCES));
        let found = looked_in.map(below).find(|name| {
            self.looks_left -= 1;
            exists(name.as_bstr())
        });
        found.unwrap_or(first)
    }
}

impl Line {
    /// The outcomes, and whether each was taken.
    fn places(&self) -> Vec<((u32, u32, u32), bool)> {
        let Some((taken, all)) = self.outcomes else {
            return Vec::new();
        };
        let pairs = self.conditions.len() as u64 * 2;
        if pairs == all && self.conditions.iter().sum::<u64>() == taken {
            let pairs = (0..).zip(&self.conditions);
            let sides = pairs.flat_map(|(block, taken)| {
                [0, 1].map(|side| {
                    let number = block * 2 + side;
                    ((self.number, block, number), u64::from(side) < *taken)
                })
            });
            return sides.collect();
        }
        // There are no more than MAX_OUTCOMES_OF_LINE.
        let numbers = (0u32..).zip(0..all);
        numbers
            .map(|(number, index)| ((self.number, 0, number), index < taken))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<coverage><sources><source>/w</source></sources><packages><package><classes>\
             <class filename=\"a&lt;b.c\">\n<methods/><lines>{lines}</lines></class></classes></package></packages>\
             </coverage>"
        )
    }

    fn read_all(text: &str) -> Result<Coverage> {
        read(text.as_bytes(), &|_| false)
    }

    #[track_caller]
    fn fails(text: &str, message: &str) {
        let error = read_all(text).expect_err(text);
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.offset() <= text.len() as u64);
    }

    #[test]
    fn lines_and_outcomes() {
        let text = report(
            "<line number=\"3\" hits=\"2\" branch=\"true\" condition-coverage=\"75% (3/4)\"><conditions>\
             <condition number=\"0\" type=\"jump\" coverage=\"50%\"/><condition coverage=\"100%\"/></conditions></line>\
             <line number=\"4\" hits=\"0\" condition-coverage=\"0% (0/3)\"/><line hits=\"1\" number=\"3\"/>",
        );
        let coverage = read_all(&text).expect("Cobertura");
        let file = &coverage.files[0];
        assert_eq!(file.name, "/w/a<b.c");
        let lines: Vec<_> = file
            .lines
            .iter()
            .map(|line| (line.number, line.count))
            .collect();
        assert_eq!(lines, [(3, 3), (4, 0)]);
        let outcomes: Vec<_> = file
            .outcomes
            .iter()
            .map(|one| (one.block, one.count))
            .collect();
        let expected = [
            (0, Some(1)),
            (0, Some(0)),
            (1, Some(1)),
            (1, Some(1)),
            (0, None),
            (0, None),
            (0, None),
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(file.summary.branches.covered, 3);
        assert_eq!(file.summary.branches.total, 7);
    }

    #[test]
    fn of_several_folders_the_one_with_the_file() {
        let text = report("").replace(
            "<source>/w</source>",
            "<source>/v</source><source>/w/</source>",
        );
        let read = |there: &str| {
            let coverage = read(text.as_bytes(), &|name| name == there).expect("Cobertura");
            coverage.files[0].name.to_string()
        };
        assert_eq!(read("/w/a<b.c"), "/w/a<b.c");
        assert_eq!(read("neither"), "/v/a<b.c");
    }

    #[test]
    fn bad_reports_are_named() {
        let line = |inner: &str| report(&format!("<line {inner}/>"));
        fails(&line("number=\"1\" hits=\"-1\""), "found `-1`");
        fails(
            &line("number=\"1000000000\" hits=\"1\""),
            "expected 0 to 16777216 in line 3",
        );
        fails(&line("number=\"1\""), "hits: expected a whole number");
        let covered = |text: &str| {
            line(&format!(
                "number=\"1\" hits=\"1\" condition-coverage=\"{text}\""
            ))
        };
        fails(&covered("50% (2/1)"), "such as 75% (3/4)");
        fails(&covered("0% (0/1000000000)"), "no more than 4096");
        fails(&covered("50%"), "such as 75% (3/4)");
        fails(&covered("&lol;"), "attribute");
        fails("<report/>", "one element `coverage`");
        fails("<coverage><project/></coverage>", "`packages`");
        fails("<coverage/><coverage/>", "one element");
        fails("<coverage><packages>", "the ends of all elements");
        fails("<coverage></packages>", "well-formed XML");
        fails("<!-- nothing -->", "an element `coverage`");
        fails(&"<coverage>".repeat(1 << 16), "no more than 64");
        let deep = format!("<coverage>{}", "<x>".repeat(1 << 20));
        fails(&deep, "no more than 64 inside each other");
        let error = read(b"<coverage>\n\xff</coverage>", &|_| false).expect_err("UTF-8");
        assert_eq!((error.line(), error.offset()), (2, 11), "{error}");
    }

    /// Entities that multiply are declared and never looked up.
    #[test]
    fn entity_bombs_are_not_lit() {
        let mut bomb = String::from("<!DOCTYPE coverage [<!ENTITY a0 \"ha\">");
        for level in 1..40 {
            let before = format!("&a{};", level - 1);
            bomb += &format!("<!ENTITY a{level} \"{before}{before}\">");
        }
        bomb += "]>";
        fails(
            &format!("{bomb}<coverage><sources><source>&a39;</source></sources></coverage>"),
            "XML's own",
        );
        let outside = "<!DOCTYPE coverage [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><coverage>&x;</coverage>";
        fails(outside, "XML's own");
        assert!(read_all(&format!("{bomb}<coverage/>")).is_ok());
    }

    #[test]
    fn every_cut_is_seen() {
        let text = report("<line number=\"1\" hits=\"1\"/>");
        for end in 0..text.len() {
            assert!(read_all(&text[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn names_have_an_end() {
        let with = |source: usize, file: usize, method: usize| {
            let [source, file, method] = [source, file, method].map(|bytes| "x".repeat(bytes));
            let method = format!("<method name=\"{method}\"><lines/></method>");
            report("")
                .replace("/w", &source)
                .replace("a&lt;b.c", &file)
                .replace("<methods/>", &format!("<methods>{method}</methods>"))
        };
        let half = MAX_FILE_NAME / 2;
        assert!(read_all(&with(half, half - 1, MAX_FUNCTION_NAME)).is_ok());
        for (text, what) in [
            (with(MAX_FILE_NAME + 1, 1, 1), "source: "),
            (with(1, MAX_FILE_NAME + 1, 1), "file name: "),
            (with(half, half, 1), "file name with its source: "),
            (with(1, 1, MAX_FUNCTION_NAME + 1), "method name: "),
        ] {
            let error = read_all(&text).expect_err(what);
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            assert!(error.to_string().starts_with(what), "{error}");
        }
    }
}
