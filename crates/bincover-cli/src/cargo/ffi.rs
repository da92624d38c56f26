//! C and C++ in a Rust program: what build scripts compile with clang is instrumented.

use std::ffi::OsString;

use super::Failure;
use crate::clang::{self, first_variable, major_of};

/// Sets the variables that the `cc` crate and most build scripts read, for a target. The compiler
/// is that of `CC` or `CXX`, else clang of rustc's LLVM version: the runtime that is linked is
/// rustc's.
pub(super) fn environment_of(
    target: &str,
    llvm: Option<u32>,
    set: &mut impl FnMut(&str, OsString),
) -> Result<(), Failure> {
    let suffix = target.replace(['-', '.'], "_");
    let version = llvm.map_or_else(String::new, |llvm| format!(" {llvm}"));
    for (compiler, program, flags) in [("CC", "clang", "CFLAGS"), ("CXX", "clang++", "CXXFLAGS")] {
        let own = format!("{compiler}_{suffix}");
        let chosen = match first_variable(&[&own, &format!("TARGET_{compiler}"), compiler]) {
            Some(chosen) => {
                let found = major_of(&chosen);
                if found.is_none() || llvm.is_some_and(|llvm| found != Some(llvm)) {
                    let found = found.map_or_else(|| "none".to_owned(), |found| found.to_string());
                    return Err(Failure::usage(
                        format!(
                            "--include-ffi: {compiler} is `{chosen}`: expected clang{version}, found {found}"
                        ),
                        "rustc's profile runtime is linked, which fits clang of the same LLVM only",
                    ));
                }
                chosen
            }
            None => clang::find(program, llvm).ok_or_else(|| {
                Failure::usage(
                    format!("--include-ffi: expected clang{version}, of rustc's LLVM, found none"),
                    format!(
                        "install it, or name it: {compiler}={program}-{}",
                        version.trim()
                    ),
                )
            })?,
        };
        set(&own, chosen.into());
        let own = format!("{flags}_{suffix}");
        let before = first_variable(&[&own, &format!("TARGET_{flags}"), flags]);
        set(&own, clang::with(before, clang::FLAGS).into());
    }
    Ok(())
}
