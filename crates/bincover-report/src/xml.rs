//! XML as the formats that are XML write it.

use std::io::{self, BufWriter, Write};

use crate::printable::is_plain;
use bstr::ByteSlice;
use quick_xml::Writer;
use quick_xml::escape::escape;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// Text that XML 1.0 can hold.
pub(crate) fn printable(name: &[u8]) -> String {
    if name.iter().all(is_plain) {
        return name.to_str_lossy().into_owned();
    }
    let forbidden =
        |c: char| matches!(c, '\0'..'\t' | '\x0b' | '\x0c' | '\x0e'..' ' | '\u{fffe}' | '\u{ffff}');
    name.to_str_lossy().replace(forbidden, "\u{fffd}")
}

/// What an attribute says.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(u64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

/// An attribute, by its name.
pub(crate) type Attribute<'a> = (&'a str, Value<'a>);

/// quick-xml's writer with the few calls that we need.
pub(crate) struct Xml<'a> {
    writer: Writer<BufWriter<&'a mut dyn io::Write>>,
    /// The last element with its attributes; its memory is the next one's.
    start: String,
}

impl<'a> Xml<'a> {
    pub(crate) fn new(out: &'a mut dyn io::Write) -> Self {
        Self {
            writer: Writer::new_with_indent(BufWriter::new(out), b' ', 2),
            start: String::new(),
        }
    }

    /// The declaration, and the document's type if it has one.
    pub(crate) fn prologue(&mut self, doctype: Option<&str>) -> io::Result<()> {
        self.writer
            .write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        match doctype {
            Some(doctype) => self
                .writer
                .write_event(Event::DocType(BytesText::from_escaped(doctype))),
            None => Ok(()),
        }
    }

    pub(crate) fn open(&mut self, name: &str, attributes: &[Attribute<'_>]) -> io::Result<()> {
        let start = start(&mut self.start, name, attributes);
        self.writer.write_event(Event::Start(start))
    }

    pub(crate) fn close(&mut self, name: &str) -> io::Result<()> {
        self.writer.write_event(Event::End(BytesEnd::new(name)))
    }

    pub(crate) fn empty(&mut self, name: &str, attributes: &[Attribute<'_>]) -> io::Result<()> {
        let start = start(&mut self.start, name, attributes);
        self.writer.write_event(Event::Empty(start))
    }

    pub(crate) fn text_element(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.open(name, &[])?;
        self.writer.write_event(Event::Text(BytesText::new(text)))?;
        self.close(name)
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        let out = self.writer.get_mut();
        out.write_all(b"\n")?;
        out.flush()
    }
}

/// An element with its attributes, in memory that the last one had: there are millions of them.
fn start<'a>(memory: &'a mut String, name: &str, attributes: &[Attribute<'_>]) -> BytesStart<'a> {
    memory.clear();
    memory.push_str(name);
    for (key, value) in attributes {
        memory.push(' ');
        memory.push_str(key);
        memory.push_str("=\"");
        match value {
            Value::Number(number) => memory.push_str(itoa::Buffer::new().format(*number)),
            Value::Text(text) => push_escaped(memory, text),
        }
        memory.push('"');
    }
    BytesStart::from_content(memory.as_str(), name.len())
}

/// A parser turns tabs and line feeds in an attribute into spaces, unless they are written as
/// references; quick-xml's escape leaves these two alone.
fn push_escaped(to: &mut String, text: &str) {
    let text = escape(text);
    if text.contains(['\t', '\n']) {
        to.push_str(&text.replace('\t', "&#9;").replace('\n', "&#10;"));
    } else {
        to.push_str(&text);
    }
}
