//! The body of `container`: coverage sections in every kind of object file.

use bincover_mapping::{Mapping, evaluate, kept_sections};
use bincover_profile::Profile;
use bincover_report::{Format, NoSources, Options};
use bincover_testkit::container::{Container, Sections};

use super::mapping::{check_object, cook, profile_for, split};
use super::recipe::Recipe;

/// Which object file, how often it is damaged and where, and then the sections: as `mapping` takes
/// them, or a recipe for them.
///
/// An undamaged file of such a recipe says what a 64-bit little-endian ELF file of it says. What we keep
/// of a binary says what the binary says.
pub fn container(bytes: &[u8]) {
    let mut recipe = Recipe::new(bytes);
    let kind = Container::ALL[recipe.below(Container::ALL.len())];
    let choice = recipe.byte();
    let damage: Vec<(usize, u8)> = (0..choice % 4)
        .map(|_| (recipe.half(), recipe.byte()))
        .collect();
    let rest = recipe.rest();
    // Sections with the hashes that they refer to each other by, or any.
    let is_cooked = choice & 0x80 != 0;
    let big_endian = !kind.is_little_endian();
    let cooked = cook(rest, big_endian);
    let (names, covmap, covfun, profile) = match split(rest).filter(|_| !is_cooked) {
        Some((names, covmap, covfun)) => (names, covmap, covfun, profile_for(names, covfun)),
        None => (
            &cooked.names[..],
            &cooked.covmap[..],
            &cooked.covfun[..],
            cooked.profile,
        ),
    };
    let sections = Sections {
        names,
        covmap,
        covfun,
    };
    let mut file = kind.build(&sections);
    for (at, with) in &damage {
        let len = file.len();
        file[at % len] ^= with;
    }
    check_object(&file, &profile);
    let is_valid = damage.iter().all(|(_, with)| *with == 0);
    if is_valid && is_cooked && !covfun.is_empty() {
        let elf = Container::Elf {
            wide: true,
            big_endian: false,
        };
        let little = cook(rest, false);
        let little = elf.build(&Sections {
            names: &little.names,
            covmap: &little.covmap,
            covfun: &little.covfun,
        });
        let expected = report(&little, &profile);
        assert!(report(&file, &profile) == expected, "{kind:?} differs");
    }
    if let Ok(kept) = kept_sections(&file) {
        assert!(
            report(&kept, &profile) == report(&file, &profile),
            "what is kept of {kind:?} differs"
        );
    }
}

/// What is evaluated, as JSON; `None` if there is an error.
fn report(object: &[u8], profile: &Profile) -> Option<Vec<u8>> {
    let mappings = [Mapping::parse(object).ok()?];
    let evaluation = evaluate(&mappings, profile).ok()?;
    let mut out = Vec::new();
    let format = Format::named("llvm-json")?;
    let options = Options::default();
    let written = format.write(&evaluation.coverage, &options, &NoSources, &mut out);
    written.expect("a Vec takes everything");
    Some(out)
}
