//! Source files, and where their lines are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::llvm::cov::load::{Loaded, os};
use crate::llvm::cov::{Console, shown};
use crate::llvm::os_words;

/// The text of a file, and where its lines are.
pub(super) struct Source {
    text: Vec<u8>,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl Source {
    /// Lines go up to the first zero byte (LLVM: `line_iterator`).
    fn new(mut text: Vec<u8>) -> Self {
        if let Some(end) = text.iter().position(|&byte| byte == 0) {
            text.truncate(end);
        }
        // Behind the last line feed no line begins.
        let is_start = |at: &usize| *at == 0 || text[at - 1] == b'\n';
        let starts = (0..text.len()).filter(is_start).collect();
        Self { text, starts }
    }

    /// The lines from this one on, counted from 1, without line feeds and the carriage returns before
    /// them.
    pub(super) fn lines(&self, first: u32) -> impl Iterator<Item = &[u8]> {
        let first = (first as usize).saturating_sub(1);
        let starts = self.starts.get(first..).unwrap_or_default();
        let ends = starts.iter().skip(1).copied();
        let ends = ends.chain([self.text.len()]);
        starts.iter().zip(ends).map(|(start, end)| {
            let line = &self.text[*start..end];
            let Some(line) = line.strip_suffix(b"\n") else {
                return line;
            };
            line.strip_suffix(b"\r").unwrap_or(line)
        })
    }
}

/// Source files, each read once.
pub(super) struct Sources<'a> {
    loaded: &'a Loaded,
    console: Console,
    read: RefCell<HashMap<Vec<u8>, Rc<Source>>>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(loaded: &'a Loaded, console: Console) -> Self {
        Self {
            loaded,
            console,
            read: RefCell::default(),
        }
    }

    /// The text of a file; one that cannot be read is said each time.
    pub(super) fn read(&self, name: &[u8]) -> Option<Rc<Source>> {
        let path = self.loaded.source_path(name);
        if let Some(known) = self.read.borrow().get(path) {
            return Some(Rc::clone(known));
        }
        // A name may be that of a pipe, or of a device that never ends.
        let read = match std::fs::metadata(os(path)) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                Err(std::io::Error::other("it is no regular file"))
            }
            _ => std::fs::read(os(path)),
        };
        match read {
            Ok(text) => {
                let text = Rc::new(Source::new(text));
                self.read
                    .borrow_mut()
                    .insert(path.to_vec(), Rc::clone(&text));
                Some(text)
            }
            Err(error) => {
                self.console
                    .error(format_args!("{}: {}", shown(path), os_words(&error)));
                None
            }
        }
    }
}
