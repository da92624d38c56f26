//! XML as the formats that are XML write it.

use std::io::{self, BufWriter, Write};

use bstr::ByteSlice;
use quick_xml::Writer;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::name::QName;

/// Text that XML 1.0 can hold.
pub(crate) fn printable(name: &[u8]) -> String {
    let forbidden =
        |c: char| matches!(c, '\0'..'\t' | '\x0b' | '\x0c' | '\x0e'..' ' | '\u{fffe}' | '\u{ffff}');
    name.to_str_lossy().replace(forbidden, "\u{fffd}")
}

/// quick-xml's writer with the few calls that we need.
pub(crate) struct Xml<'a> {
    writer: Writer<BufWriter<&'a mut dyn io::Write>>,
}

impl<'a> Xml<'a> {
    pub(crate) fn new(out: &'a mut dyn io::Write) -> Self {
        Self {
            writer: Writer::new_with_indent(BufWriter::new(out), b' ', 2),
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

    pub(crate) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.writer
            .write_event(Event::Start(start(name, attributes)))
    }

    pub(crate) fn close(&mut self, name: &str) -> io::Result<()> {
        self.writer.write_event(Event::End(BytesEnd::new(name)))
    }

    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.writer
            .write_event(Event::Empty(start(name, attributes)))
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

fn start<'a>(name: &'a str, attributes: &[(&'a str, &str)]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (key, value) in attributes {
        // A parser turns tabs and line feeds in an attribute into spaces, unless they are written
        // as references; quick-xml's escape leaves these two alone.
        let mut value = quick_xml::escape::escape(*value);
        if value.contains(['\t', '\n']) {
            value = value.replace('\t', "&#9;").replace('\n', "&#10;").into();
        }
        start.push_attribute(Attribute {
            key: QName(key),
            value,
        });
    }
    start
}
