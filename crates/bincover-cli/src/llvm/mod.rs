//! LLVM's command lines: the same options, messages and exit codes, so that a script that calls
//! LLVM's tool can call ours.

pub(crate) mod cov;
pub(crate) mod options;
pub(crate) mod profdata;

/// The version of LLVM whose output this is.
const LLVM_VERSION: &str = "22.1.8";

/// The operating system's words, without the number that Rust adds.
fn os_words(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::IsADirectory {
        return "Is a directory".to_owned();
    }
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
