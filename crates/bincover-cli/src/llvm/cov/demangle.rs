//! Names through a program that demangles them (LLVM: `demangleSymbols`).

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use bincover::model::Function;
use bstr::BString;

use super::Console;

/// Readable names by symbol. Empty, so that symbols stay as they are, if the demangler failed,
/// which is said and is no failure of ours.
pub(super) fn demangle(
    words: &[OsString],
    functions: &[Function],
    console: Console,
) -> HashMap<BString, BString> {
    let Some((program, _)) = words.split_first() else {
        return HashMap::new();
    };
    let shown = program.display();
    let mut input = Vec::new();
    for function in functions {
        input.extend_from_slice(&function.name);
        input.push(b'\n');
    }
    let output = match run(words, input) {
        Ok(output) => output,
        Err(problem) => {
            console.error(format_args!("{shown}: {problem}"));
            return HashMap::new();
        }
    };
    let names = lines(&output, functions.len());
    if names.len() != functions.len() {
        console.error("demangler did not provide expected number of symbols");
        return HashMap::new();
    }
    let names = names.into_iter().map(|name| name.trim_ascii_end().into());
    functions
        .iter()
        .map(|function| function.name.clone())
        .zip(names)
        .collect()
}

fn run(words: &[OsString], input: Vec<u8>) -> Result<Vec<u8>, String> {
    let program = &words[0];
    if !std::path::Path::new(program).exists() {
        return Err("posix_spawn failed: No such file or directory".to_owned());
    }
    let mut child = Command::new(program)
        .arg0(program)
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| super::super::os_words(&error))?;
    let stdin = child.stdin.take();
    // The demangler may write before it has read everything. One that does not read at all has
    // its reasons, and its output will tell.
    let writer = std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(&input);
        }
    });
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let _ = writer.join();
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::new()),
    }
}

/// Splits at most `count` times and drops what is empty, as LLVM does.
fn lines(output: &[u8], count: usize) -> Vec<&[u8]> {
    let pieces = output.splitn(count.saturating_add(1), |&byte| byte == b'\n');
    pieces.filter(|piece| !piece.is_empty()).collect()
}
