//! The least ELF file that holds a few sections, and the way back.

const HEADER_BYTES: usize = 64;
const SECTION_HEADER_BYTES: usize = 64;
const PROGBITS: u32 = 1;
const STRING_TABLE: u32 = 3;

/// A 64-bit little-endian relocatable object with these sections (name, contents), each aligned
/// to 8, and a section name table.
#[must_use]
pub fn build(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = vec![0];
    let mut out = vec![0; HEADER_BYTES];
    let mut headers = vec![[0u8; SECTION_HEADER_BYTES]];
    for (name, contents) in sections {
        headers.push(section_header(
            names.len(),
            PROGBITS,
            out.len(),
            contents.len(),
        ));
        names.extend(name.bytes().chain([0]));
        out.extend_from_slice(contents);
        out.resize(out.len().next_multiple_of(8), 0);
    }
    let own_name = names.len();
    names.extend(b".shstrtab\0");
    headers.push(section_header(
        own_name,
        STRING_TABLE,
        out.len(),
        names.len(),
    ));
    out.extend(names);
    out.resize(out.len().next_multiple_of(8), 0);
    let table = out.len() as u64;
    out.extend(headers.iter().flatten());

    let count = u16::try_from(headers.len()).unwrap_or(u16::MAX);
    out[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\x00");
    // e_type 1 (relocatable), e_machine 62 (x86-64), e_version 1.
    out[16..24].copy_from_slice(&[1, 0, 62, 0, 1, 0, 0, 0]);
    out[40..48].copy_from_slice(&table.to_le_bytes());
    out[52..54].copy_from_slice(&[64, 0]);
    out[58..60].copy_from_slice(&[64, 0]);
    out[60..62].copy_from_slice(&count.to_le_bytes());
    out[62..64].copy_from_slice(&(count - 1).to_le_bytes());
    out
}

fn section_header(
    name: usize,
    kind: u32,
    offset: usize,
    size: usize,
) -> [u8; SECTION_HEADER_BYTES] {
    let mut header = [0; SECTION_HEADER_BYTES];
    header[..4].copy_from_slice(&u32::try_from(name).unwrap_or(0).to_le_bytes());
    header[4..8].copy_from_slice(&kind.to_le_bytes());
    header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
    header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
    header[48] = 8;
    header
}

/// The contents of the sections of a 64-bit little-endian ELF file that have this name, one after
/// another. Nothing if the file is another, or damaged: this is for files that tests know.
#[must_use]
pub fn section(bytes: &[u8], name: &str) -> Vec<u8> {
    sections(bytes, name).unwrap_or_default()
}

fn sections(bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let word = |bytes: &[u8], at: usize| {
        let (word, _) = bytes.get(at..)?.split_first_chunk()?;
        usize::try_from(u64::from_le_bytes(*word)).ok()
    };
    let half = |at: usize| {
        Some(usize::from(u16::from_le_bytes(
            *bytes.get(at..)?.first_chunk()?,
        )))
    };
    let table = word(bytes, 40)?;
    let header = |index: usize| {
        let at = table.checked_add(index * SECTION_HEADER_BYTES)?;
        bytes.get(at..)?.get(..SECTION_HEADER_BYTES)
    };
    let contents = |header: &[u8]| bytes.get(word(header, 24)?..)?.get(..word(header, 32)?);
    let names = contents(header(half(62)?)?)?;
    let mut found = Vec::new();
    for index in 0..half(60)? {
        let header = header(index)?;
        let at = u32::from_le_bytes(*header.first_chunk()?) as usize;
        if names.get(at..)?.split(|&byte| byte == 0).next()? == name.as_bytes() {
            found.resize(found.len().next_multiple_of(8), 0);
            found.extend_from_slice(contents(header)?);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let file = build(&[("one", b"1"), ("two", b"two contents")]);
        assert_eq!(section(&file, "one"), b"1");
        assert_eq!(section(&file, "two"), b"two contents");
        assert!(section(&file, "three").is_empty());
        assert!(section(&file[..70], "one").is_empty());
    }
}
