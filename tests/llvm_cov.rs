//! `bincover` as `llvm-cov`: programs times options, and whole command lines, against the tool
//! itself. Standard output, standard error, the exit code and the pages in an output folder are
//! the same, byte for byte.
//!
//! Programs are the fixtures of `testdata/object`, and those of `tests/programs/cov`, which are
//! compiled here. Without LLVM a test says *ignored*; with `BINCOVER_REQUIRE_ORACLES=1` (as in CI)
//! it fails instead.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bincover_testkit::{fixture, top};
use libtest_mimic::{Arguments, Failed, Trial};

const ORACLE: &str = "llvm-cov-22";
const PROFDATA: &str = "llvm-profdata-22";
const OURS: &str = env!("CARGO_BIN_EXE_bincover");

/// A program that both tools report on.
struct Program {
    name: &'static str,
    /// What it takes to make it.
    needed: &'static [&'static str],
    make: Make,
    /// Relative to its folder.
    objects: &'static [&'static str],
    /// Where the compiler saw the sources; they are in the program's folder.
    compiled_in: &'static str,
}

enum Make {
    /// Copies from `testdata`, to the file's name.
    Fixture(&'static [&'static str]),
    /// Compiles a folder of `tests/programs/cov` by these commands, of which those that begin with
    /// `./` are runs of the program. The profiles of the runs are merged.
    Build(&'static str, &'static [&'static str]),
}

/// Fixtures were compiled here.
const FIXTURE: &str = "/tmp/fixture";
const CLANG: &[&str] = &["clang-22", "clang++-22", PROFDATA];
const RUSTC: &[&str] = &["rustc", PROFDATA];

const fn copied(
    name: &'static str,
    objects: &'static [&'static str],
    files: &'static [&'static str],
) -> Program {
    Program {
        name,
        needed: &[],
        make: Make::Fixture(files),
        objects,
        compiled_in: FIXTURE,
    }
}

const fn built(
    name: &'static str,
    needed: &'static [&'static str],
    folder: &'static str,
    objects: &'static [&'static str],
    commands: &'static [&'static str],
) -> Program {
    Program {
        name,
        needed,
        make: Make::Build(folder, commands),
        objects,
        compiled_in: "",
    }
}

const APP: &[&str] = &["app.elf"];
const MAIN_C: &str = "raw/clang22-c/main.c";
const UTIL_H: &str = "raw/clang22-c/util.h";

const PROGRAMS: &[Program] = &[
    copied(
        "clang13-c",
        APP,
        &[
            "object/clang13-c/app.elf",
            "raw/clang13-c/merged.profdata",
            MAIN_C,
            UTIL_H,
        ],
    ),
    copied(
        "clang14-c",
        APP,
        &[
            "object/clang14-c/app.elf",
            "raw/clang14-c/merged.profdata",
            MAIN_C,
            UTIL_H,
        ],
    ),
    copied(
        "clang16-c",
        APP,
        &[
            "object/clang16-c/app.elf",
            "raw/clang16-c/merged.profdata",
            MAIN_C,
            UTIL_H,
        ],
    ),
    copied(
        "clang19-c",
        APP,
        &[
            "object/clang19-c/app.elf",
            "raw/clang19-c/merged.profdata",
            MAIN_C,
            UTIL_H,
        ],
    ),
    copied(
        "clang22-c",
        APP,
        &[
            "object/clang22-c/app.elf",
            "raw/clang22-c/merged.profdata",
            MAIN_C,
            UTIL_H,
        ],
    ),
    copied(
        "clang22-c-obj",
        &["main.o"],
        &[
            "object/clang22-c-obj/main.o",
            "raw/clang22-c/merged.profdata",
            MAIN_C,
            UTIL_H,
        ],
    ),
    copied(
        "clang22-c-old-profile",
        APP,
        &[
            "object/clang22-c/app.elf",
            "raw/clang19-c/merged.profdata",
            MAIN_C,
            UTIL_H,
        ],
    ),
    copied(
        "clang22-bytes",
        APP,
        &[
            "object/clang22-bytes/app.elf",
            "raw/clang22-bytes/merged.profdata",
            MAIN_C,
            UTIL_H,
        ],
    ),
    copied(
        "clang22-cxx",
        APP,
        &[
            "object/clang22-cxx/app.elf",
            "raw/clang22-cxx/merged.profdata",
            "raw/clang22-cxx/main.cpp",
            "raw/clang22-cxx/second.cpp",
            "raw/clang22-cxx/shared.h",
        ],
    ),
    copied(
        "clang22-cxx-obj",
        &["main.o", "second.o"],
        &[
            "object/clang22-cxx-obj/main.o",
            "object/clang22-cxx-obj/second.o",
            "raw/clang22-cxx/merged.profdata",
            "raw/clang22-cxx/main.cpp",
            "raw/clang22-cxx/second.cpp",
            "raw/clang22-cxx/shared.h",
        ],
    ),
    copied(
        "clang22-mcdc",
        APP,
        &[
            "object/clang22-mcdc/app.elf",
            "raw/clang22-mcdc/merged.profdata",
            "raw/clang22-mcdc/main.c",
        ],
    ),
    copied(
        "rust-v10",
        APP,
        &[
            "object/rust-v10/app.elf",
            "raw/rust-v10/merged.profdata",
            "raw/rust-v10/main.rs",
            "raw/rust-v10/shapes.rs",
        ],
    ),
    built(
        "cxx",
        CLANG,
        "cxx",
        &["app"],
        &[
            "clang++-22 -std=c++20 -fprofile-instr-generate -fcoverage-mapping -Wl,--build-id=0xabcdef01234567 main.cpp inner/shapes.cpp -o app",
            "./app 1 2 3 4 20",
            "./app 5 13 6",
            "./app",
        ],
    ),
    built(
        "cxx-optimized",
        CLANG,
        "cxx",
        &["app"],
        &[
            "clang++-22 -std=c++20 -O2 -fcoverage-mcdc -fprofile-instr-generate -fcoverage-mapping main.cpp inner/shapes.cpp -o app",
            "./app 1 2 7",
        ],
    ),
    built(
        "cxx-objects",
        CLANG,
        "cxx",
        &["main.o", "inner/shapes.o"],
        &[
            "clang++-22 -std=c++20 -fprofile-instr-generate -fcoverage-mapping -c main.cpp -o main.o",
            "clang++-22 -std=c++20 -fprofile-instr-generate -fcoverage-mapping -c inner/shapes.cpp -o inner/shapes.o",
            "clang++-22 -fprofile-instr-generate main.o inner/shapes.o -o app",
            "./app 1 2 3 4 20",
        ],
    ),
    built(
        "mcdc",
        CLANG,
        "mcdc",
        &["app"],
        &[
            "clang++-22 -fcoverage-mcdc -fprofile-instr-generate -fcoverage-mapping main.cpp -o app",
            "./app 1 3 7 21 28",
            "./app 2 4 31 -5",
        ],
    ),
    built(
        "mcdc-not-run",
        CLANG,
        "mcdc",
        &["app"],
        &[
            "clang++-22 -fcoverage-mcdc -fprofile-instr-generate -fcoverage-mapping main.cpp -o app",
            "./app",
        ],
    ),
    built(
        "odd",
        CLANG,
        "odd",
        &["app"],
        &[
            "clang-22 -fprofile-instr-generate -fcoverage-mapping odd.c -o app",
            "./app",
            "./app 1 2 3",
        ],
    ),
    built(
        "bytes",
        CLANG,
        "cxx",
        &["app"],
        &[
            "clang++-22 -std=c++20 -fprofile-instr-generate -fcoverage-mapping -mllvm -enable-single-byte-coverage=true main.cpp inner/shapes.cpp -o app",
            "./app 1 2 3",
        ],
    ),
    built(
        "shared",
        CLANG,
        "shared",
        &["one", "two"],
        &[
            "clang-22 -fprofile-instr-generate -fcoverage-mapping one.c library.c -o one",
            "clang-22 -fprofile-instr-generate -fcoverage-mapping two.c library.c -o two",
            "./one",
            "./two 1 2",
        ],
    ),
    built(
        "containers",
        &[
            "clang-22",
            PROFDATA,
            "ar",
            "ld",
            "strip",
            "wasm-ld-22",
            "llvm-lipo-22",
            "llvm-ar-22",
        ],
        "shared",
        &["archive.a"],
        &[
            "clang-22 -fprofile-instr-generate -fcoverage-mapping -c one.c -o one.o",
            "clang-22 -fprofile-instr-generate -fcoverage-mapping -c library.c -o library.o",
            "clang-22 -fprofile-instr-generate one.o library.o -o one",
            "./one 1 2",
            "clang-22 -c library.c -o plain.o",
            "ar rc archive.a one.o library.o",
            "ar rcT thin.a one.o library.o",
            "ar rc mixed.a one.o plain.o",
            "ar rc source.a one.o one.c",
            "ld -r one.o library.o -o relocatable.o",
            "llvm-cov-22 convert-for-testing one -o one.covmapping",
            "strip one -o stripped",
            "clang-22 -target x86_64-apple-macos13 -fprofile-instr-generate -fcoverage-mapping -c library.c -o macho.o",
            "clang-22 -target x86_64-pc-windows-msvc -fprofile-instr-generate -fcoverage-mapping -c library.c -o coff.o",
            "clang-22 -target i686-pc-windows-msvc -fprofile-instr-generate -fcoverage-mapping -c library.c -o coff32.o",
            "clang-22 -target i386-linux-gnu -fprofile-instr-generate -fcoverage-mapping -c library.c -o i386.o",
            "clang-22 -target powerpc64-linux-gnu -fprofile-instr-generate -fcoverage-mapping -c library.c -o ppc64.o",
            "clang-22 -target powerpc-linux-gnu -fprofile-instr-generate -fcoverage-mapping -c library.c -o ppc32.o",
            "clang-22 -target s390x-linux-gnu -fprofile-instr-generate -fcoverage-mapping -c library.c -o s390x.o",
            "clang-22 -target aarch64-linux-gnu -fprofile-instr-generate -fcoverage-mapping -c library.c -o aarch64.o",
            "clang-22 -target wasm32-unknown-unknown -fprofile-instr-generate -fcoverage-mapping -c library.c -o wasm.o",
            "wasm-ld-22 --no-entry --allow-undefined --export-all wasm.o -o linked.wasm",
            "clang-22 -target arm64-apple-macos13 -fprofile-instr-generate -fcoverage-mapping -c library.c -o arm64.o",
            "llvm-lipo-22 -create macho.o arm64.o -output universal",
            "llvm-ar-22 rc macho.a macho.o",
            "llvm-ar-22 rc arm64.a arm64.o",
            "llvm-lipo-22 -create macho.a arm64.a -output archives",
            "ar rcT none.a",
            "ar rc empty.a",
            "llvm-ar-22 rc outer.a thin.a",
        ],
    ),
    built(
        "library",
        CLANG,
        "shared",
        &["one", "liblibrary.so"],
        &[
            "clang-22 -fprofile-instr-generate -fcoverage-mapping -shared -fPIC library.c -o liblibrary.so",
            "clang-22 -fprofile-instr-generate -fcoverage-mapping one.c -L. -llibrary -Wl,-rpath,$ORIGIN -o one",
            "./one 1 2",
        ],
    ),
    built(
        "rust",
        RUSTC,
        "rust",
        &["main", "other"],
        &[
            "rustc --edition 2024 -C instrument-coverage --crate-type rlib shapes.rs",
            "rustc --edition 2024 -C instrument-coverage --extern shapes=libshapes.rlib main.rs",
            "rustc --edition 2024 -C instrument-coverage --extern shapes=libshapes.rlib other.rs",
            "./main 1 7 12 panic",
            "./main 3 name",
            "./other",
        ],
    ),
    built(
        "rust-one-of-two",
        RUSTC,
        "rust",
        &["other", "main"],
        &[
            "rustc --edition 2024 -C instrument-coverage -O --crate-type rlib shapes.rs",
            "rustc --edition 2024 -C instrument-coverage -O --extern shapes=libshapes.rlib main.rs",
            "rustc --edition 2024 -C instrument-coverage -O --extern shapes=libshapes.rlib other.rs",
            "./other",
        ],
    ),
];

/// Options that every program is reported with. `{}` stands for the program's objects and profile,
/// `{map}` for where its sources are, `{dir}` for its folder, `{out}` for an output folder.
const OPTIONS: &str = "
    export -format=lcov {}
    export {}
    export -summary-only {}
    export --format text --skip-expansions -skip-functions {}
    export -format=lcov -skip-branches {}
    export -format=lcov -skip-functions {}
    export -format=lcov -summary-only {}
    export -format=lcov -unify-instantiations=false {}
    export -format=lcov {} {map} -sources {dir}
    export -format=lcov {} -ignore-filename-regex=[.]h$ -ignore-filename-regex=second
    report {}
    report -show-mcdc-summary -show-instantiation-summary {}
    report -show-branch-summary=false -show-region-summary=0 {} -use-color
    report -show-functions -show-mcdc-summary {} {map} {dir}
    report -show-functions -use-color -show-branch-summary=0 -Xdemangler=c++filt {} {map} -sources {dir}
    show {} {map}
    show {} {map} -use-color
    show {} {map} -show-expansions -show-branches=count -show-mcdc
    show {} {map} -show-expansions -show-branches=percent -show-mcdc -use-color -show-regions -show-line-counts
    show {} {map} -show-regions
    show {} {map} -show-line-counts-or-regions -show-instantiations=0 -show-expansions -Xdemangler c++filt
    show {} {map} -binary-counters -show-branches=count
    show {} {map} -name=main
    show {} {map} -name-regex=^[a-m] -region-coverage-gt=20 -line-coverage-lt=90 -show-branches=count
    show {} {map} -output-dir={out}
    show {} {map} -output-dir={out} -show-directory-coverage -show-mcdc -project-title=Title
    show {} {map} -output-dir={out} -line-coverage-lt=100 -show-created-time=0 -show-instantiation-summary
";

/// Command lines for the same sources in other containers, and for other machines.
const CONTAINERS: &str = "
    export -format=lcov archive.a -instr-profile=merged.profdata
    report archive.a -instr-profile=merged.profdata
    export thin.a -instr-profile=merged.profdata
    report none.a -instr-profile=merged.profdata
    report empty.a -instr-profile=merged.profdata
    export beside/thin.a -instr-profile=merged.profdata
    export beside/absolute.a -instr-profile=merged.profdata
    report beside/missing.a -instr-profile=merged.profdata
    report beside/folder.a -instr-profile=merged.profdata
    export beside/outer.a -instr-profile=merged.profdata
    report one -object beside/plain.a -instr-profile=merged.profdata
    report thin.a -instr-profile=merged.profdata -arch=arm64
    report archives -empty-profile
    report archives -empty-profile -arch=arm64
    export archives -empty-profile -arch=x86_64
    report archives -empty-profile -arch=i386
    report mixed.a -instr-profile=merged.profdata
    report mixed.a -object one -instr-profile=merged.profdata
    report source.a -instr-profile=merged.profdata
    report library.o -object archive.a -instr-profile=merged.profdata
    export -format=lcov relocatable.o -instr-profile=merged.profdata
    export -format=lcov one.covmapping -instr-profile=merged.profdata
    export one.covmapping -object archive.a -instr-profile=merged.profdata
    report stripped -instr-profile=merged.profdata
    report one -arch=x86_64 -object i386.o -instr-profile=merged.profdata
    export -format=lcov one -arch=x86_64 -object i386.o -arch=i386 -instr-profile=merged.profdata
    export -format=lcov macho.o -empty-profile
    report macho.o -empty-profile -arch=x86_64
    report macho.o -empty-profile -arch=arm64
    export coff.o -empty-profile
    export coff32.o -empty-profile -arch=i386
    export -format=lcov i386.o -empty-profile
    export -format=lcov ppc64.o -empty-profile
    export ppc32.o -empty-profile
    export s390x.o -empty-profile -arch=s390x
    export aarch64.o -empty-profile -arch=arm64
    report wasm.o -empty-profile
    report one -object macho.o -object coff.o -instr-profile=merged.profdata
    show macho.o -empty-profile -show-branches=count
    report linked.wasm -empty-profile
    export linked.wasm -empty-profile -arch=wasm32
    export universal -empty-profile
    export universal -empty-profile -arch=arm64
    export -format=lcov universal -empty-profile -arch=x86_64
    report universal -empty-profile -arch=i386
    report universal -object one -empty-profile -arch=arm64 -arch=x86_64
    report cut.o -empty-profile
    report cut.a -empty-profile
";

/// Command lines of which we say something else than LLVM, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "report cut.o -empty-profile",
        "we do not repeat what LLVM's readers of objects say",
    ),
    (
        "report cut.a -empty-profile",
        "we do not repeat what LLVM's readers of objects say",
    ),
];

/// Command lines for one program.
const COMMANDS: &str = "
    report
    report app
    report -instr-profile=merged.profdata
    report -empty-profile
    report app -instr-profile
    report app -instr-profile=merged.profdata -empty-profile
    report nofile -empty-profile
    report . -empty-profile
    report merged.profdata -empty-profile
    report app -instr-profile=nofile
    report app -instr-profile=.
    report app -instr-profile=app
    report app -instr-profile=empty
    report app -instr-profile=merged.proftext
    report main.cpp -instr-profile=merged.profdata
    report app -instr-profile=merged.profdata -object nofile
    report app -instr-profile=merged.profdata -object main.cpp
    report nothing -instr-profile=merged.profdata
    report nothing -object nothing -instr-profile=merged.profdata
    report nothing -object app -instr-profile=merged.profdata
    report empty -instr-profile=merged.profdata
    report app -object app -instr-profile=merged.profdata
    report app -instr-profile=old.profdata
    report app -instr-profile=damaged.profdata
    export app -instr-profile=damaged.profdata -object app
    report -empty-profile app
    report -instr-profile=merged.profdata -debug-file-directory=debug
    report -instr-profile=merged.profdata -debug-file-directory=nofolder
    report -instr-profile=merged.profdata -debug-file-directory=nofolder -check-binary-ids
    report nothing -instr-profile=merged.profdata -debug-file-directory=nofolder -debug-file-directory debug
    report app -instr-profile=merged.profdata -debug-file-directory=debug -check-binary-ids
    report nothing -instr-profile=merged.profdata -check-binary-ids
    report app -instr-profile=merged.profdata -check-binary-ids
    report -empty-profile -debug-file-directory=debug
    export -format=lcov -instr-profile=merged.profdata -debug-file-directory=debug -arch=x86_64
    report -dump -instr-profile=merged.profdata app -j 1
    report -object=app -instr-profile=merged.profdata
    report -instr-profile=merged.profdata -- app
    report @words
    report app -format=html -instr-profile=merged.profdata
    report app -format=lcov -instr-profile=merged.profdata
    report app -format=xml -instr-profile=merged.profdata
    report app -use-color=maybe -instr-profile=merged.profdata
    report app -line-coverage-lt=x -instr-profile=merged.profdata
    report app -j=x -instr-profile=merged.profdata
    report app -num-threads 1 -instr-profile=merged.profdata
    report app -j 2 -instr-profile=merged.profdata
    report app -show-functions -instr-profile=merged.profdata
    report app -show-functions -instr-profile=merged.profdata nofile
    report app -show-functions -instr-profile=merged.profdata main.cpp inner
    report app -show-functions -instr-profile=merged.profdata main.cpp main.cpp ./inner/../main.cpp
    report app -instr-profile=merged.profdata main.cpp
    report app -instr-profile=merged.profdata main.cpp main.cpp
    report app -instr-profile=merged.profdata nofile
    report app -instr-profile=merged.profdata empty
    report app -instr-profile=merged.profdata . -ignore-filename-regex=inner
    report app -instr-profile=merged.profdata -ignore-filename-regex=(
    report app -instr-profile=merged.profdata -ignore-filename-regex=.
    report app -instr-profile=merged.profdata -ignore-filename-regex=main[.]cpp$
    report app -instr-profile=merged.profdata -path-equivalence=a
    report app -instr-profile=merged.profdata -path-equivalence=,a
    report app -instr-profile=merged.profdata -path-equivalence={dir},/elsewhere /elsewhere/main.cpp
    report app -instr-profile=merged.profdata -path-equivalence={dir}/inner,/x -path-equivalence={dir},/y /x/shapes.h /y/main.cpp
    report app -instr-profile=merged.profdata -compilation-dir=/other/place
    report app -instr-profile=merged.profdata -compilation-dir=rel/../dir
    report app -instr-profile=merged.profdata -arch=x86_64
    report app -instr-profile=merged.profdata -arch=arm64
    report app -instr-profile=merged.profdata -arch=nonsense
    report app -instr-profile=merged.profdata -arch=x86_64 -arch=x86_64
    report app -object=app -instr-profile=merged.profdata -arch=x86_64 -arch=x86_64
    report app -instr-profile=merged.profdata -Xdemangler=no-such-demangler
    report app -instr-profile=merged.profdata -Xdemangler=/no/such/demangler
    report app -instr-profile=merged.profdata -Xdemangler=false
    report app -instr-profile=merged.profdata -Xdemangler=true
    report app -instr-profile=merged.profdata -dump-collected-objects -object other
    report app -instr-profile=merged.profdata -dump-collected-paths main.cpp inner nofile
    report -use-color app -instr-profile=nofile
    export app -format=html -instr-profile=merged.profdata
    export app -format=lcov -use-color -instr-profile=nothing
    export app -instr-profile=nofile
    export app -instr-profile=app
    export nothing -instr-profile=merged.profdata
    export app -instr-profile=merged.profdata main.cpp
    export app -instr-profile=merged.profdata inner/shapes.h main.cpp
    export app -instr-profile=merged.profdata -ignore-filename-regex=.
    export -format=lcov app -instr-profile=merged.profdata -ignore-filename-regex=.
    export -format=lcov app -instr-profile=merged.profdata inner/shapes.h main.cpp main.cpp
    export -format=lcov app -instr-profile=merged.profdata -path-equivalence={dir},/elsewhere
    export -format=lcov app -empty-profile
    export -dump app -instr-profile=merged.profdata -j 1
    export -format=lcov app -instr-profile=merged.profdata -name=main
    show app -format=lcov -instr-profile=merged.profdata
    show app -format=html -use-color=0 -instr-profile=nofile
    show app -show-branches=some -instr-profile=merged.profdata
    show app -show-branches -instr-profile=merged.profdata
    show app -tab-size=x -instr-profile=merged.profdata
    show app -coverage-watermark=5 -instr-profile=merged.profdata
    show app -coverage-watermark=a,5 -instr-profile=merged.profdata
    show app -coverage-watermark=90,b -instr-profile=merged.profdata
    show app -coverage-watermark=20,80 -instr-profile=merged.profdata
    show app -output-dir=main.cpp/x -instr-profile=merged.profdata
    show app -instr-profile=merged.profdata -path-equivalence={dir},/elsewhere
    show app -instr-profile=merged.profdata -path-equivalence={dir},/elsewhere -name=main
    show app -instr-profile=merged.profdata main.cpp
    show app -instr-profile=merged.profdata inner main.cpp
    show app -instr-profile=merged.profdata -sources inner/shapes.h
    show app -instr-profile=merged.profdata nofile
    show app -instr-profile=merged.profdata merged.profdata
    show app -instr-profile=merged.profdata -ignore-filename-regex=inner
    show app -instr-profile=merged.profdata -name-allowlist=nofile main.cpp
    show app -instr-profile=merged.profdata -name-allowlist=allowed
    show app -instr-profile=merged.profdata -name-allowlist=malformed main.cpp
    show app -instr-profile=merged.profdata -name-regex=(
    show app -instr-profile=merged.profdata -name=nothing
    show app -instr-profile=merged.profdata -name=area -name=clamp -line-coverage-gt=100
    show app -instr-profile=merged.profdata -region-coverage-lt=50
    show app -instr-profile=merged.profdata -output-dir={out} main.cpp
    show app -instr-profile=merged.profdata -output-dir={out} -use-color -show-directory-coverage
    show app -empty-profile -output-dir={out}
    show app -instr-profile=merged.profdata -output-dir={out} -name=main -show-directory-coverage
    show app -instr-profile=merged.profdata -name=main -o {out} -j 1
";

fn main() -> ExitCode {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let is_missing = |needed: &[&str]| needed.iter().any(|tool| which::which(tool).is_err());
    let mut trials = Vec::new();
    let mut add = |program: &'static Program, line: &'static str, name: String| {
        let is_ignored = !is_required && (is_missing(&[ORACLE]) || is_missing(program.needed));
        let trial = Trial::test(name, move || same_as_tool(program, line));
        trials.push(trial.with_ignored_flag(is_ignored));
    };
    for program in PROGRAMS {
        for line in lines(OPTIONS) {
            add(program, line, format!("{}: {line}", program.name));
        }
    }
    let cxx = PROGRAMS.iter().find(|program| program.name == "cxx");
    for line in lines(COMMANDS) {
        add(cxx.expect("it is there"), line, line.to_owned());
    }
    let containers = PROGRAMS.iter().find(|program| program.name == "containers");
    for line in lines(CONTAINERS) {
        add(containers.expect("it is there"), line, line.to_owned());
    }
    let is_ignored = !is_required && is_missing(&[ORACLE, CLANG[0], PROFDATA]);
    trials.push(Trial::test("html: pages", html_pages).with_ignored_flag(is_ignored));
    let is_ignored = !is_required && is_missing(&[ORACLE, "ar", RUSTC[0], PROFDATA]);
    trials.push(Trial::test("a report on an rlib", rlib).with_ignored_flag(is_ignored));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// What a command printed, its exit code, and the pages that it wrote.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    pages: BTreeMap<PathBuf, String>,
}

fn run(tool: &Path, folder: &Path, words: &[String], out: &Path) -> Result<Outcome, Failed> {
    let output = Command::new(tool)
        // Some of LLVM's messages have the name by which the tool was called.
        .arg0(ORACLE)
        .args(words)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .env_remove("DEBUGINFOD_URLS")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", tool.display()))?;
    let mut pages = BTreeMap::new();
    if out.exists() {
        collect(out, out, &mut pages)?;
        fs::remove_dir_all(out)?;
    }
    Ok(Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        pages,
    })
}

fn collect(top: &Path, folder: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(top, &path, pages)?;
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            pages.insert(path.strip_prefix(top)?.to_owned(), text);
        }
    }
    Ok(())
}

fn same_as_tool(program: &'static Program, line: &str) -> Result<(), Failed> {
    let folder = folder_of(program)?;
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("out");
    let mut words = Vec::new();
    for word in line.split(' ') {
        match word {
            "{}" => words.extend(subject(program)),
            "{map}" if program.compiled_in.is_empty() => {}
            "{map}" => words.push(format!(
                "-path-equivalence={},{}",
                program.compiled_in,
                folder.display()
            )),
            _ => words.push(
                word.replace("{dir}", &folder.to_string_lossy())
                    .replace("{out}", &out.to_string_lossy()),
            ),
        }
    }
    let mut theirs = run(&which::which(ORACLE)?, folder, &words, &out)?;
    // Before it has looked at -use-color, LLVM asks a variable that nobody has set whether there is a
    // colour to end: the same command ends one in some runs and not in others.
    if let Some(plain) = theirs.stderr.strip_suffix("\x1b[0m")
        && !plain.contains('\x1b')
    {
        theirs.stderr.truncate(plain.len());
    }
    let ours = run(&link(scratch.path())?, folder, &words, &out)?;
    let is_different = DIFFERENT.iter().any(|(different, _)| *different == line);
    match (ours == theirs, is_different) {
        (true, false) | (false, true) => Ok(()),
        (true, true) => Err("is listed as different, but is the same".into()),
        (false, false) => Err(explain(&words, &ours, &theirs)),
    }
}

/// Our tool, by a link of LLVM's name.
fn link(folder: &Path) -> Result<PathBuf, Failed> {
    let link = folder.join(ORACLE);
    std::os::unix::fs::symlink(OURS, &link)?;
    Ok(link)
}

/// The objects and the profile.
fn subject(program: &Program) -> Vec<String> {
    let mut words = Vec::new();
    for (index, object) in program.objects.iter().enumerate() {
        if index > 0 {
            words.push("-object".to_owned());
        }
        words.push((*object).to_owned());
    }
    words.push("-instr-profile=merged.profdata".to_owned());
    words
}

/// Where they first differ.
fn explain(words: &[String], ours: &Outcome, theirs: &Outcome) -> Failed {
    let mut text = format!(
        "{}\nexit code: ours {:?}, theirs {:?}\n",
        words.join(" "),
        ours.code,
        theirs.code
    );
    let mut compare = |name: &str, ours: &str, theirs: &str| {
        let (ours, theirs): (Vec<&str>, Vec<&str>) =
            (ours.split('\n').collect(), theirs.split('\n').collect());
        let lines = 0..ours.len().max(theirs.len());
        let differing = lines.filter(|&line| ours.get(line) != theirs.get(line));
        for line in differing.take(5) {
            let cut = |lines: &[&str]| -> String {
                let line = lines.get(line).copied().unwrap_or("(no such line)");
                line.chars().take(300).collect()
            };
            text += &format!(
                "{name}, line {}\n  ours:   {}\n  theirs: {}\n",
                line + 1,
                cut(&ours),
                cut(&theirs)
            );
        }
    };
    compare("stdout", &ours.stdout, &theirs.stdout);
    compare("stderr", &ours.stderr, &theirs.stderr);
    let names: std::collections::BTreeSet<&PathBuf> =
        ours.pages.keys().chain(theirs.pages.keys()).collect();
    for name in names {
        let page = |outcome: &Outcome| {
            outcome
                .pages
                .get(name)
                .map_or("(no such page)", |page| page)
                .to_owned()
        };
        compare(&name.to_string_lossy(), &page(ours), &page(theirs));
    }
    text.into()
}

/// llvm-cov refuses an `.rlib`, for its member with metadata; our own commands report on it, as llvm-cov
/// does on its other members.
fn rlib() -> Result<(), Failed> {
    const LIBRARY: &str = "libshapes.rlib";
    const PROFILE: &str = "merged.profdata";
    let program = PROGRAMS.iter().find(|program| program.name == "rust");
    let folder = folder_of(program.ok_or("a program of the table")?)?;
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("out");
    let words = ["report", LIBRARY, "-instr-profile", PROFILE].map(str::to_owned);
    let theirs = run(&which::which(ORACLE)?, folder, &words, &out)?;
    let ours = run(&link(scratch.path())?, folder, &words, &out)?;
    if theirs.code == Some(0) || ours != theirs {
        return Err(format!("theirs {theirs:#?}, ours {ours:#?}").into());
    }

    let members = scratch.path().join("members");
    fs::create_dir(&members)?;
    shell(
        &members,
        &format!("ar x {}", folder.join(LIBRARY).display()),
    )?;
    let mut words = ["export", "-format=lcov", "-instr-profile", PROFILE]
        .map(str::to_owned)
        .to_vec();
    let listed = Command::new("ar")
        .args(["t", LIBRARY])
        .current_dir(folder)
        .output()?;
    let listed = String::from_utf8(listed.stdout)?;
    let objects = listed.lines().filter(|name| name.ends_with(".o"));
    words.extend(objects.map(|name| format!("-object={}", members.join(name).display())));
    let theirs = run(&which::which(ORACLE)?, folder, &words, &out)?;
    let words = [
        "report",
        "--object",
        LIBRARY,
        "--profile",
        PROFILE,
        "--lcov",
        "-",
    ]
    .map(str::to_owned);
    let ours = Command::new(OURS)
        .args(words)
        .current_dir(folder)
        .output()?;
    let ours = String::from_utf8_lossy(&ours.stdout).into_owned();
    match !ours.is_empty() && ours == theirs.stdout {
        true => Ok(()),
        false => Err(format!("theirs {theirs:#?}, ours {ours}").into()),
    }
}

/// The folder with a program, which is made once.
fn folder_of(program: &'static Program) -> Result<&'static Path, Failed> {
    static MADE: [OnceLock<Result<PathBuf, String>>; PROGRAMS.len()] =
        [const { OnceLock::new() }; PROGRAMS.len()];
    let index = PROGRAMS.iter().position(|one| one.name == program.name);
    let made = MADE[index.ok_or("a program of the table")?]
        .get_or_init(|| make(program).map_err(|error| error.message().unwrap_or("?").to_owned()));
    match made {
        Ok(folder) => Ok(folder),
        Err(message) => Err(message.clone().into()),
    }
}

fn make(program: &Program) -> Result<PathBuf, Failed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("llvm-cov")
        .join(program.name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    match &program.make {
        Make::Fixture(files) => {
            for file in *files {
                let name = Path::new(file).file_name().ok_or("a name")?;
                fs::write(folder.join(name), fs::read(fixture(file))?)?;
            }
        }
        Make::Build(sources, commands) => {
            copy(&top().join("tests/programs/cov").join(sources), &folder)?;
            build(&folder, commands)?;
        }
    }
    // A profile is made after its program, and by the clock too.
    let later = SystemTime::now() + Duration::from_secs(2);
    let profile = fs::File::options()
        .write(true)
        .open(folder.join("merged.profdata"))?;
    profile.set_modified(later)?;
    match program.name {
        "cxx" => extras(&folder)?,
        "containers" => {
            for (whole, cut) in [("library.o", "cut.o"), ("archive.a", "cut.a")] {
                let bytes = fs::read(folder.join(whole))?;
                fs::write(folder.join(cut), &bytes[..bytes.len() / 2])?;
            }
            thin_archives(&folder)?;
        }
        _ => {}
    }
    Ok(folder)
}

/// Thin archives in a folder of their own, beside which their members are looked for.
fn thin_archives(folder: &Path) -> Result<(), Failed> {
    let beside = folder.join("beside");
    fs::create_dir(&beside)?;
    for (from, to) in [
        ("library.o", "near.o"),
        ("one.o", "one.o"),
        ("plain.o", "plain.o"),
        ("library.o", "gone.o"),
        ("library.o", "folder.o"),
        ("outer.a", "outer.a"),
    ] {
        fs::copy(folder.join(from), beside.join(to))?;
    }
    for command in [
        "ar rcT thin.a near.o one.o",
        "ar rcT missing.a near.o gone.o",
        "ar rcT folder.a folder.o",
        "ar rcT plain.a one.o plain.o",
    ] {
        shell(&beside, command)?;
    }
    fs::remove_file(beside.join("gone.o"))?;
    fs::remove_file(beside.join("folder.o"))?;
    fs::create_dir(beside.join("folder.o"))?;
    let absolute = |name: &str| folder.join(name).display().to_string();
    let (one, near) = (absolute("one.o"), absolute("beside/near.o"));
    let command = format!("llvm-ar-22 --thin rcP beside/absolute.a {one} {near}");
    shell(folder, &command)
}

/// What the command lines of [`COMMANDS`] name.
fn extras(folder: &Path) -> Result<(), Failed> {
    fs::write(folder.join("empty"), "")?;
    fs::write(
        folder.join("words"),
        "app '-instr-profile=merged.profdata'\n-show-mcdc-summary",
    )?;
    fs::write(
        folder.join("allowed"),
        "# some\n[llvmcov]\nallowlist_fun:main\nallowlist_fun:*clamp*\n",
    )?;
    fs::write(folder.join("malformed"), "[llvmcov]\nallowlist_fun\n")?;
    fs::write(folder.join("nothing.c"), "int main(void) { return 0; }\n")?;
    shell(folder, "clang-22 nothing.c -o nothing")?;
    shell(
        folder,
        "llvm-profdata-22 merge --text merged.profdata -o merged.proftext",
    )?;
    fs::copy(folder.join("merged.profdata"), folder.join("old.profdata"))?;
    fs::write(
        folder.join("damaged.profdata"),
        damaged(fs::read(folder.join("merged.profdata"))?)?,
    )?;
    // The name under which the linker's build id is looked for.
    fs::create_dir_all(folder.join("debug/.build-id/ab"))?;
    fs::copy(
        folder.join("app"),
        folder.join("debug/.build-id/ab/cdef01234567.debug"),
    )?;
    let old = fs::File::options()
        .write(true)
        .open(folder.join("old.profdata"))?;
    old.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))?;
    Ok(())
}

/// An indexed profile in which the record of `main` says that it has more counts than it has.
fn damaged(mut profile: Vec<u8>) -> Result<Vec<u8>, Failed> {
    // The length of the name, that of the data, the name, the hash, the number of counts.
    let is_main = |bytes: &[u8]| bytes[..8] == 4u64.to_le_bytes() && bytes[16..] == *b"main";
    let at = profile.windows(20).position(is_main).ok_or("no `main`")?;
    profile[at + 28..][..8].copy_from_slice(&1000u64.to_le_bytes());
    Ok(profile)
}

fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target)?,
            false => fs::write(target, fs::read(entry.path())?)?,
        }
    }
    Ok(())
}

fn build(folder: &Path, commands: &[&str]) -> Result<(), Failed> {
    let mut profiles = Vec::new();
    for command in commands {
        if !command.starts_with("./") {
            shell(folder, command)?;
            continue;
        }
        let profile = format!("{}.profraw", profiles.len());
        let mut words = command.split(' ');
        // How it ends is its own affair: one of them panics.
        Command::new(folder.join(words.next().unwrap_or_default()))
            .args(words)
            .current_dir(folder)
            .env("LLVM_PROFILE_FILE", &profile)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        profiles.push(profile);
    }
    shell(
        folder,
        &format!("{PROFDATA} merge -o merged.profdata {}", profiles.join(" ")),
    )
}

fn shell(folder: &Path, command: &str) -> Result<(), Failed> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .env("LLVM_PROFILE_FILE", "/dev/null")
        .env_remove("RUSTFLAGS")
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// HTML has the same pages as LLVM's, and nothing from a source or a name gets into its markup.
fn html_pages() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().canonicalize()?;
    let source = "a<b>&'c\".c";
    fs::write(
        folder.join(source),
        "int main(int argc, char **argv) {\n\tconst char *text = \"<script>alert('x')</script>\";\n\treturn text[0] == 1 && argc > 1; /* & */\n}\n",
    )?;
    let words = [
        "-fprofile-instr-generate",
        "-fcoverage-mapping",
        source,
        "-o",
        "app",
    ];
    let clang = Command::new("clang-22")
        .args(words)
        .current_dir(&folder)
        .output()?;
    if !clang.status.success() {
        return Err(String::from_utf8_lossy(&clang.stderr).into_owned().into());
    }
    build(&folder, &["./app 1"])?;
    let out = folder.join("out");
    let words = [
        "show",
        "app",
        "-instr-profile=merged.profdata",
        "-format=html",
        "-output-dir=out",
        "-show-branches=count",
        "-show-regions",
        "-project-title=<title>",
    ]
    .map(str::to_owned);
    let theirs = run(&which::which(ORACLE)?, &folder, &words, &out)?;
    let ours = run(&link(scratch.path())?, &folder, &words, &out)?;
    if (ours.code, &ours.stderr) != (theirs.code, &theirs.stderr) {
        return Err(explain(&words, &ours, &theirs));
    }
    if !ours.pages.keys().eq(theirs.pages.keys()) {
        return Err(format!("{:?}\n{:?}", ours.pages.keys(), theirs.pages.keys()).into());
    }
    for (name, page) in ours
        .pages
        .iter()
        .filter(|(name, _)| name.ends_with(".html"))
    {
        for raw in ["<script>alert", "a<b>", "<title>\n"] {
            if page.contains(raw) {
                return Err(format!("{}: {raw} is not escaped", name.display()).into());
            }
        }
    }
    let index = &ours.pages[Path::new("index.html")];
    for expected in [
        "a&lt;b&gt;&amp;&#39;c&quot;.c",
        "&lt;title&gt;",
        "(1/1)",
        "(4/4)",
    ] {
        if !index.contains(expected) {
            return Err(format!("the index has no {expected}:\n{index}").into());
        }
    }
    Ok(())
}
