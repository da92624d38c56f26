//! The three sections of a linked WebAssembly module. Names are a data segment, whose name is in
//! the custom section `name`; relocatable objects do not have it, and so have no coverage data.

use std::borrow::Cow;

use bincover_profile::bytes::{Cursor, Endian};

use crate::error::{Error, Result};
use crate::sections::{COVFUN, COVMAP, NAMES, Sections};

const MAGIC: &[u8] = b"\0asm\x01\0\0\0";
const CUSTOM: u8 = 0;
const DATA: u8 = 11;
const DATA_SEGMENT_NAMES: u8 = 9;

pub(crate) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

pub(crate) fn sections(bytes: &[u8]) -> Result<Sections<'_>> {
    let mut covmap = None;
    let mut covfun = Vec::new();
    let mut data = Cursor::new(&[], 0, Endian::Little);
    let mut names = None;
    let mut cursor = Cursor::new(bytes, 0, Endian::Little);
    cursor.take(MAGIC.len() as u64, "magic and version")?;
    while !cursor.is_empty() {
        let id = cursor.u8("section id")?;
        let len = cursor.uleb("section length")?;
        let at = cursor.offset();
        let mut section = Cursor::new(cursor.take(len, "section")?, at, Endian::Little);
        match id {
            DATA => data = section,
            CUSTOM => {
                let name = string(&mut section)?;
                if name == COVMAP.as_bytes() {
                    covmap = Some(section.rest());
                } else if name == COVFUN.as_bytes() {
                    covfun.push(section.rest());
                } else if name == b"name" {
                    names = segment_index(&mut section)?.or(names);
                }
            }
            _ => {}
        }
    }
    let names = match names {
        Some(index) => segment(data, index)?,
        None => return Err(Error::no_section(NAMES)),
    };
    Ok(Sections {
        endian: Endian::Little,
        pointer_bytes: 4,
        names,
        names_address: 0,
        covmap: covmap.ok_or_else(|| Error::no_section(COVMAP))?,
        covfun: match covfun[..] {
            [one] => Cow::Borrowed(one),
            _ => {
                let mut all = Vec::new();
                for one in covfun {
                    all.resize(all.len().next_multiple_of(8), 0);
                    all.extend_from_slice(one);
                }
                Cow::Owned(all)
            }
        },
    })
}

fn string<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let len = cursor.uleb("length of a name")?;
    Ok(cursor.take(len, "name")?)
}

/// The index of the data segment that holds function names, by the section of names.
fn segment_index(section: &mut Cursor<'_>) -> Result<Option<u64>> {
    while !section.is_empty() {
        let id = section.u8("subsection id")?;
        let len = section.uleb("subsection length")?;
        let at = section.offset();
        let mut subsection = Cursor::new(section.take(len, "subsection")?, at, Endian::Little);
        if id != DATA_SEGMENT_NAMES {
            continue;
        }
        for _ in 0..subsection.uleb("number of names")? {
            let index = subsection.uleb("index of a data segment")?;
            if string(&mut subsection)? == NAMES.as_bytes() {
                return Ok(Some(index));
            }
        }
    }
    Ok(None)
}

/// The contents of a data segment.
fn segment<'a>(mut data: Cursor<'a>, wanted: u64) -> Result<&'a [u8]> {
    let cursor = &mut data;
    let count = cursor.uleb("number of data segments")?;
    for index in 0..count {
        // 1: passive, without an address; 2: with a memory's index.
        let flags = cursor.uleb("flags of a data segment")?;
        if flags == 2 {
            cursor.uleb("memory index")?;
        }
        if flags != 1 {
            skip_expression(cursor)?;
        }
        let len = cursor.uleb("length of a data segment")?;
        let contents = cursor.take(len, "data segment")?;
        if index == wanted {
            return Ok(contents);
        }
    }
    Err(Error::no_section(NAMES))
}

/// A constant expression: the address of a segment.
fn skip_expression(cursor: &mut Cursor<'_>) -> Result<()> {
    loop {
        let at = cursor.offset();
        match cursor.u8("instruction")? {
            // end
            0x0b => return Ok(()),
            // global.get, i32.const, i64.const; a signed number is as long as an unsigned one.
            0x23 | 0x41 | 0x42 => while cursor.u8("operand")? & 0x80 != 0 {},
            // add, sub and mul of i32 and of i64
            0x6a..=0x6c | 0x7c..=0x7e => {}
            other => {
                let expected = "a constant expression";
                return Err(Error::malformed(at, "data segment", expected, other));
            }
        }
    }
}
