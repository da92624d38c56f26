#!/usr/bin/env bash
# regen.sh: makes the reports here again. Needs gcc, Debian's lcov 1.16, lcov 2.5's sources in $LCOV2 (and what it uses of Perl:
# libcapture-tiny-perl, libdatetime-perl), gcovr, coverage.py, a Rust with cargo-llvm-cov, and llvm-cov-22's files in ../object.
# Builds in /tmp/fixture, whose name is in the reports.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
lcov2=(perl "$(cd "$LCOV2" && pwd)/bin/lcov" --quiet --branch-coverage)
work=/tmp/fixture
rm -rf "$work" && mkdir -p "$work" && cp "$here"/main.c "$here"/shapes.h "$here"/throws.cpp "$work" && cd "$work"
export SOURCE_DATE_EPOCH=1700000000
lcov=(lcov --quiet --rc lcov_branch_coverage=1)

gcc --coverage -O0 -o app main.c
record() { # name, arguments of the program
	local name=$1; shift
	rm -f ./*.gcda
	./app "$@" >/dev/null || true
	"${lcov[@]}" --capture --directory . --output-file "$name.info"
	"${lcov2[@]}" --capture --directory . --output-file "lcov2-$name.info"
	gcovr --root . --cobertura-pretty --cobertura "$name.xml"
}
record a 3 4 5
record b 6 2
"${lcov[@]}" -a a.info -a b.info -o ab.info
gcovr --root . --cobertura-add-tracefile a.xml --cobertura-add-tracefile b.xml --cobertura-pretty --cobertura ab.xml
"${lcov2[@]}" -a lcov2-a.info -a lcov2-b.info -o lcov2-ab.info
cp a.info b.info ab.info a.xml b.xml ab.xml lcov2-*.info "$here"

# Newer marks: of exceptions, of falling through, and of what is left out.
rm -f ./*.gc*
g++ --coverage -O0 -o throws throws.cpp
./throws
"${lcov2[@]}" --rc no_exception_branch=1 --capture --directory . --include '*/throws.cpp' -o lcov2-marks.info
"${lcov2[@]}" -a lcov2-marks.info -a lcov2-marks.info -o lcov2-marks-sum.info
cp lcov2-marks*.info "$here"
rm -f ./*.gc*

# Reports of one program by LLVM, added up by lcov.
"${lcov[@]}" -a "$here"/../object/clang22-c/expected.lcov -a "$here"/../object/clang22-cxx/expected.lcov \
	-a "$here"/../object/clang22-c/expected.lcov -o llvm.info
cp llvm.info "$here"

# Python: no methods, branches by line.
cat >tool.py <<'P'
import sys

def sign(number):
    if number < 0:
        return -1
    return 1 if number > 0 else 0

if len(sys.argv) > 1:
    print(sign(int(sys.argv[1])))
P
python3 -m coverage run --branch tool.py 7 >/dev/null
python3 -m coverage xml -q -o python.xml
cp python.xml "$here"

# Rust, as cargo-llvm-cov makes Cobertura's.
mkdir -p rust/src && cat >rust/Cargo.toml <<'R'
[package]
name = "tool"
version = "0.1.0"
edition = "2021"
[workspace]
R
cat >rust/src/lib.rs <<'R'
pub fn sign(number: i32) -> i32 {
    if number < 0 {
        return -1;
    }
    i32::from(number > 0)
}

pub fn never() {}

#[test]
fn signs() {
    assert_eq!(sign(7), 1);
}
R
(cd rust && cargo llvm-cov --quiet --cobertura --output-path ../rust.xml 2>/dev/null >/dev/null)
# Its time stamp is that of the run.
sed -i -E 's/timestamp="[0-9]+"/timestamp="1700000000"/' rust.xml python.xml
cp rust.xml python.xml "$here"
