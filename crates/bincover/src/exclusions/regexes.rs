//! Regular expressions of the user's, as grcov 0.10 applies them: what is started and not stopped
//! lasts to the end of the file, and a stop without a start is none.

use std::sync::Arc;

use bincover_model::{ExcludedPart, ExcludedRange};
use bstr::ByteSlice;
use regex::bytes::Regex;

use super::range;

/// Expressions for lines, or for branches.
pub(super) struct Rules<'r> {
    /// Of the rules' names.
    pub(super) prefix: &'static str,
    pub(super) part: ExcludedPart,
    pub(super) line: &'r [Regex],
    pub(super) start: &'r [Regex],
    pub(super) stop: &'r [Regex],
}

impl Rules<'_> {
    pub(super) fn scan(&self, text: &[u8]) -> Vec<ExcludedRange> {
        let mut ranges: Vec<ExcludedRange> = Vec::new();
        if self.line.is_empty() && self.start.is_empty() {
            return ranges;
        }
        let rules = |what: &str, regexes: &[Regex]| -> Vec<Arc<str>> {
            let name = |regex: &Regex| format!("{}-{what}: {regex}", self.prefix).into();
            regexes.iter().map(name).collect()
        };
        let (lines, starts) = (rules("line", self.line), rules("start", self.start));
        let find = |regexes: &[Regex], content: &[u8]| {
            regexes.iter().position(|regex| regex.is_match(content))
        };
        let mut open: Option<(u32, usize)> = None;
        let mut end = 0;
        for (line, content) in (1..=u32::MAX).zip(text.lines()) {
            end = line;
            if open.is_some() && find(self.stop, content).is_some() {
                let begun = open.take();
                ranges.extend(
                    begun.map(|(first, rule)| range(first, line - 1, self.part, &starts[rule])),
                );
            }
            if open.is_none() {
                open = find(self.start, content).map(|rule| (line, rule));
            }
            if open.is_some() {
                continue;
            }
            let Some(rule) = find(self.line, content) else {
                continue;
            };
            match ranges.last_mut() {
                Some(last) if last.last + 1 == line && last.rule == lines[rule] => last.last = line,
                _ => ranges.push(range(line, line, self.part, &lines[rule])),
            }
        }
        if let Some((first, rule)) = open {
            ranges.push(range(first, end, self.part, &starts[rule]));
        }
        ranges
    }
}
