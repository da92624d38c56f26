//! As trybuild and ui_test do it: cargo checks a project in which the macro is used, and what it says
//! is compared.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn cargo(words: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").expect("cargo runs the tests"));
    cargo.args(words);
    cargo
}

fn check(name: &str, shape: &str) -> Output {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version=1"]).output();
    let metadata = String::from_utf8(metadata.expect("cargo's answer").stdout).expect("JSON");
    let target = metadata.split("\"target_directory\":\"").nth(1);
    let target = target.and_then(|rest| rest.split('"').next()).expect("a folder");
    let target = Path::new(target).join("tests/trybuild");
    let project = target.join(name);
    fs::create_dir_all(project.join("src")).expect("a folder of ours");
    let stencil = env!("CARGO_MANIFEST_DIR");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\
         [dependencies]\nstencil = {{ path = \"{stencil}\" }}\n[workspace]\n"
    );
    let program = format!("fn main() {{ println!(\"{{}}\", stencil::corners!({shape})); }}\n");
    for (file, text) in [("Cargo.toml", manifest), ("src/main.rs", program)] {
        // What is as it was is not compiled again, and what is compiled says what is wrong with it.
        if fs::read(project.join(file)).ok() != Some(text.clone().into_bytes()) {
            fs::write(project.join(file), text).expect("a file of ours");
        }
    }
    let mut check = cargo(&["check", "--offline", "--quiet"]);
    check.env("CARGO_TARGET_DIR", target).current_dir(project);
    check.output().expect("cargo's answer")
}

#[test]
fn shapes_with_corners() {
    let output = check("stencil-pass", "triangle");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn shapes_without() {
    let output = check("stencil-fail", "circle");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("no corners: circle"), "{said}");
}
