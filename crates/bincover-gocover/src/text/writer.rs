//! Blocks to text.

use crate::profile::Profile;

/// The profile as `covdata textfmt` writes it: packages by import path, and in each the blocks by
/// file and place, of which the last line comes before the first column.
#[must_use]
pub fn write(profile: &Profile) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"mode: ");
    out.extend_from_slice(profile.mode().word().as_bytes());
    out.push(b'\n');
    for package in profile.packages() {
        for block in package.blocks() {
            out.extend_from_slice(block.file);
            let unit = block.unit;
            let fields = [
                (b':', unit.start_line.into()),
                (b'.', unit.start_column.into()),
                (b',', unit.end_line.into()),
                (b'.', unit.end_column.into()),
                (b' ', unit.statements.into()),
                (b' ', block.count),
            ];
            for (separator, value) in fields {
                out.push(separator);
                number(&mut out, value);
            }
            out.push(b'\n');
        }
    }
    out
}

/// Most of the text are numbers, for which `write!` is slow.
fn number(out: &mut Vec<u8>, mut value: u64) {
    // 2^64 has 20 digits.
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}
