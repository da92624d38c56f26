//! The document as text, as a tree that is checked against the DTD, and counted again.

use bincover_model::FunctionId;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::*;
use crate::listed::one;
use crate::testing::{branch, code, file, function, group, lines, one_of_everything};

fn document(coverage: &Coverage, options: &Options) -> String {
    let mut out = Vec::new();
    emit(coverage, options, &mut out).expect("a Vec takes everything");
    String::from_utf8(out).expect("the document says that it is UTF-8")
}

#[track_caller]
fn check(coverage: &Coverage, options: &Options, expected: &str) {
    let expected = expected.replace("VERSION", env!("CARGO_PKG_VERSION"));
    let document = document(coverage, options);
    assert_eq!(document, expected);
    assert_sound(&document);
}

/// An element, read again.
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn new(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.expect("attributes are well-formed and differ");
            let value =
                quick_xml::escape::unescape(&attribute.value).expect("references are known");
            (attribute.key.0.to_owned(), value.into_owned())
        });
        Self {
            name: start.name().0.to_owned(),
            attributes: attributes.collect(),
            text: String::new(),
            children: Vec::new(),
        }
    }

    #[track_caller]
    fn attribute(&self, name: &str) -> &str {
        let attribute = self.attributes.iter().find(|(key, _)| key == name);
        attribute.map_or_else(|| panic!("{} lacks {name}", self.name), |(_, value)| value)
    }

    #[track_caller]
    fn number(&self, name: &str) -> u64 {
        self.attribute(name).parse().expect("a number")
    }

    #[track_caller]
    fn child(&self, name: &str) -> &Element {
        self.children
            .iter()
            .find(|child| child.name == name)
            .unwrap_or_else(|| panic!("{} lacks {name}", self.name))
    }

    /// All elements of this name below this one, itself included.
    fn all(&self, name: &str) -> Vec<&Element> {
        let below = self.children.iter().flat_map(|child| child.all(name));
        let itself = (self.name == name).then_some(self);
        itself.into_iter().chain(below).collect()
    }
}

/// The root element; fails on whatever is not well-formed.
#[track_caller]
fn parse(document: &str) -> Element {
    let is_legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert_eq!(
        document.chars().find(|c| !is_legal(*c)),
        None,
        "XML 1.0 has no such character"
    );

    let mut reader = Reader::from_str(document);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let finished = match reader.read_event().expect("well-formed") {
            Event::Start(start) => {
                open.push(Element::new(&start));
                None
            }
            Event::Empty(start) => Some(Element::new(&start)),
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text);
                }
                None
            }
            Event::GeneralRef(reference) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*reference))
                    .expect("known")
                    .into_owned();
                open.last_mut()
                    .expect("references are inside the root")
                    .text
                    .push_str(&text);
                None
            }
            Event::Eof => break,
            _ => None,
        };
        match (finished, open.last_mut()) {
            (None, _) => {}
            (Some(element), Some(parent)) => parent.children.push(element),
            (Some(element), None) => assert!(root.replace(element).is_none(), "two roots"),
        }
    }
    assert!(open.is_empty());
    root.expect("there is a root")
}

/// What the DTD says about one element.
struct Rule {
    name: &'static str,
    /// Its children in order: a name, and whether any number of them may come.
    children: &'static [(&'static str, bool)],
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

/// `coverage-04.dtd`, line by line. (`sources` is optional there; we always write it. `conditions*`
/// of a line is one or none with us.)
const DTD: &[Rule] = &[
    Rule {
        name: "coverage",
        children: &[("sources", false), ("packages", false)],
        required: &[
            "line-rate",
            "branch-rate",
            "lines-covered",
            "lines-valid",
            "branches-covered",
            "branches-valid",
            "complexity",
            "version",
            "timestamp",
        ],
        optional: &[],
    },
    Rule {
        name: "sources",
        children: &[("source", true)],
        required: &[],
        optional: &[],
    },
    Rule {
        name: "source",
        children: &[],
        required: &[],
        optional: &[],
    },
    Rule {
        name: "packages",
        children: &[("package", true)],
        required: &[],
        optional: &[],
    },
    Rule {
        name: "package",
        children: &[("classes", false)],
        required: &["name", "line-rate", "branch-rate", "complexity"],
        optional: &[],
    },
    Rule {
        name: "classes",
        children: &[("class", true)],
        required: &[],
        optional: &[],
    },
    Rule {
        name: "class",
        children: &[("methods", false), ("lines", false)],
        required: &["name", "filename", "line-rate", "branch-rate", "complexity"],
        optional: &[],
    },
    Rule {
        name: "methods",
        children: &[("method", true)],
        required: &[],
        optional: &[],
    },
    Rule {
        name: "method",
        children: &[("lines", false)],
        required: &[
            "name",
            "signature",
            "line-rate",
            "branch-rate",
            "complexity",
        ],
        optional: &[],
    },
    Rule {
        name: "lines",
        children: &[("line", true)],
        required: &[],
        optional: &[],
    },
    Rule {
        name: "line",
        children: &[("conditions", true)],
        required: &["number", "hits"],
        optional: &["branch", "condition-coverage"],
    },
    Rule {
        name: "conditions",
        children: &[("condition", true)],
        required: &[],
        optional: &[],
    },
    Rule {
        name: "condition",
        children: &[],
        required: &["number", "type", "coverage"],
        optional: &[],
    },
];

#[track_caller]
fn assert_valid(element: &Element) {
    let rule = DTD
        .iter()
        .find(|rule| rule.name == element.name)
        .expect("an element of the DTD");
    for name in rule.required {
        element.attribute(name);
    }
    for (name, _) in &element.attributes {
        let name = name.as_str();
        assert!(
            rule.required.contains(&name) || rule.optional.contains(&name),
            "{}: {name}",
            element.name
        );
    }
    if element.name != "source" {
        assert_eq!(element.text.trim(), "", "{} holds no text", element.name);
    }
    let mut children = element.children.iter().peekable();
    for (name, any_number) in rule.children {
        let mut found = 0;
        while children.next_if(|child| child.name == *name).is_some() {
            found += 1;
        }
        assert!(
            *any_number || found == 1,
            "{}: {found} {name}",
            element.name
        );
    }
    assert_eq!(
        children.next().map(|child| &child.name),
        None,
        "{}: out of order",
        element.name
    );
    element.children.iter().for_each(assert_valid);
}

/// Of `75% (3/4)`, both numbers.
fn sum_of(text: &str) -> (u64, u64) {
    let (_, inner) = text.trim_end_matches(')').split_once('(').expect("a sum");
    let (covered, sides) = inner.split_once('/').expect("two numbers");
    let number = |text: &str| text.parse().expect("a number");
    (number(covered), number(sides))
}

/// Lines and conditions that a consumer counts directly below these elements.
fn count<'a>(line_lists: impl IntoIterator<Item = &'a Element>) -> Rates {
    let mut rates = Rates::default();
    for line in line_lists.into_iter().flat_map(|list| &list.children) {
        rates.lines += one(line.number("hits"));
        assert_eq!(
            line.attribute("branch") == "true",
            !line.children.is_empty()
        );
        let conditions = line.all("condition");
        // An outcome without another is a condition of one side, which is in the sum alone.
        let pairs = conditions.len() as u64;
        let (sides_covered, sides) = match conditions.is_empty() {
            true => (0, 0),
            false => sum_of(line.attribute("condition-coverage")),
        };
        assert!((pairs..=2 * pairs).contains(&sides));
        let halves = conditions
            .iter()
            .map(|condition| match condition.attribute("coverage") {
                "0%" => 0,
                "50%" => 1,
                "100%" => 2,
                other => panic!("{other}"),
            });
        let halves: u64 = halves.sum();
        let covered = sides_covered;
        match sides == 2 * pairs {
            true => assert_eq!(halves, covered),
            false => assert!(covered <= halves),
        }
        if let Some(percent) = (covered * 100).checked_div(sides) {
            let expected = format!("{percent}% ({covered}/{sides})");
            assert_eq!(line.attribute("condition-coverage"), expected);
        }
        rates.branches += Tally {
            covered,
            total: sides,
        };
    }
    rates
}

#[track_caller]
fn assert_rates(element: &Element, counted: Rates) {
    for (name, tally) in [
        ("line-rate", counted.lines),
        ("branch-rate", counted.branches),
    ] {
        let rate: f64 = element.attribute(name).parse().expect("a rate");
        assert!(
            (rate * 100.0 - tally.percent()).abs() < 1e-9,
            "{}: {name} {rate} {tally:?}",
            element.name
        );
    }
}

/// Well-formed, valid, and every number is what a consumer counts.
#[track_caller]
pub(crate) fn assert_sound(document: &str) {
    let root = parse(document);
    assert_eq!(root.name, "coverage");
    assert_valid(&root);
    for element in root.all("method") {
        assert_rates(element, count([element.child("lines")]));
    }
    for name in ["class", "package", "coverage"] {
        for element in root.all(name) {
            let classes = element.all("class");
            assert_rates(
                element,
                count(classes.iter().map(|class| class.child("lines"))),
            );
        }
    }
    let counted = count(root.all("class").iter().map(|class| class.child("lines")));
    assert_eq!(root.number("lines-covered"), counted.lines.covered);
    assert_eq!(root.number("lines-valid"), counted.lines.total);
    assert_eq!(root.number("branches-covered"), counted.branches.covered);
    assert_eq!(root.number("branches-valid"), counted.branches.total);
}

#[test]
fn an_empty_document_is_valid() {
    check(
        &Coverage::default(),
        &Options::default(),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0" branch-rate="0" lines-covered="0" lines-valid="0" branches-covered="0" branches-valid="0" complexity="0" version="bincover VERSION" timestamp="0">
  <sources>
    <source>.</source>
  </sources>
  <packages>
  </packages>
</coverage>
"#,
    );
}

/// A generic function with two copies in one file, a branch in another.
fn generic() -> Coverage {
    let mut a = file(
        "/w/src/a.rs",
        lines(&[(1, 4), (2, 4), (3, 0), (4, 4), (9, 1)]),
    );
    a.functions = vec![FunctionId(0), FunctionId(1)];
    a.groups = vec![group((1, 1), &[0, 1], 4)];
    let mut b = file("/w/b.rs", lines(&[(7, 1)]));
    b.branches = vec![branch((7, 4), (7, 9), 1, 0), branch((7, 12), (7, 15), 0, 0)];
    let copy = |name, count| {
        function(
            name,
            count,
            vec![code((1, 1), (4, 2), count), code((3, 5), (3, 9), 0)],
        )
    };
    Coverage {
        files: vec![a, b],
        functions: vec![
            copy("_RNvCskwGfYPst2Cb_3foo16example_function", 0),
            copy("_RNvCskwGfYPst2Cb_3foo15another_function", 4),
        ],
    }
}

#[test]
fn a_group_is_one_method() {
    let options = Options {
        timestamp: 1_700_000_000,
        ..Options::default()
    };
    check(
        &generic(),
        &options,
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0.8333333333333334" branch-rate="0.25" lines-covered="5" lines-valid="6" branches-covered="1" branches-valid="4" complexity="0" version="bincover VERSION" timestamp="1700000000">
  <sources>
    <source>/w/</source>
  </sources>
  <packages>
    <package name="." line-rate="1" branch-rate="0.25" complexity="0">
      <classes>
        <class name="b.rs" filename="b.rs" line-rate="1" branch-rate="0.25" complexity="0">
          <methods>
          </methods>
          <lines>
            <line number="7" hits="1" branch="true" condition-coverage="25% (1/4)">
              <conditions>
                <condition number="0" type="jump" coverage="50%"/>
                <condition number="1" type="jump" coverage="0%"/>
              </conditions>
            </line>
          </lines>
        </class>
      </classes>
    </package>
    <package name="src" line-rate="0.8" branch-rate="0" complexity="0">
      <classes>
        <class name="src.a.rs" filename="src/a.rs" line-rate="0.8" branch-rate="0" complexity="0">
          <methods>
            <method name="foo::example_function" signature="" line-rate="0.75" branch-rate="0" complexity="0">
              <lines>
                <line number="1" hits="4" branch="false"/>
                <line number="2" hits="4" branch="false"/>
                <line number="3" hits="0" branch="false"/>
                <line number="4" hits="4" branch="false"/>
              </lines>
            </method>
          </methods>
          <lines>
            <line number="1" hits="4" branch="false"/>
            <line number="2" hits="4" branch="false"/>
            <line number="3" hits="0" branch="false"/>
            <line number="4" hits="4" branch="false"/>
            <line number="9" hits="1" branch="false"/>
          </lines>
        </class>
      </classes>
    </package>
  </packages>
</coverage>
"#,
    );
}

#[test]
fn a_c_program_is_sound() {
    let document = document(&one_of_everything(), &Options::default());
    assert_sound(&document);
    let root = parse(&document);
    // Each listed line has a DA line in lcov's report, and each side a BRDA line.
    assert_eq!(root.number("lines-valid"), 14);
    assert_eq!(root.number("branches-valid"), 12);
    let methods = root.all("method");
    let numbers = |method: &Element| {
        method
            .all("line")
            .iter()
            .map(|line| line.number("number"))
            .collect::<Vec<_>>()
    };
    assert_eq!(methods[0].attribute("name"), "a.c:inner");
    assert_eq!(numbers(methods[0]), [3, 4, 5, 6, 7]);
    assert_eq!(numbers(methods[1]), [9, 10, 11, 12, 13, 14, 15, 16]);
}

#[test]
fn a_closure_that_never_ran_shows_no_hits() {
    let mut file = file("a.rs", lines(&[(1, 9), (2, 9)]));
    file.groups = vec![group((1, 1), &[0], 9), group((2, 8), &[1], 0)];
    let coverage = Coverage {
        files: vec![file],
        functions: vec![
            function("outer", 9, vec![code((1, 1), (2, 20), 9)]),
            function("closure", 0, vec![code((2, 8), (2, 12), 0)]),
        ],
    };
    let document = document(&coverage, &Options::default());
    assert_sound(&document);
    let hits = parse(&document)
        .all("method")
        .iter()
        .map(|method| count([method.child("lines")]).lines)
        .collect::<Vec<_>>();
    assert_eq!(
        hits,
        [
            Tally {
                covered: 2,
                total: 2
            },
            Tally {
                covered: 0,
                total: 1
            }
        ]
    );
}

#[test]
fn branches_without_a_line_are_left_out() {
    let mut file = file("a.rs", lines(&[(1, 1)]));
    file.branches = vec![branch((2, 1), (2, 5), 1, 1)];
    let document = document(
        &Coverage {
            files: vec![file],
            functions: Vec::new(),
        },
        &Options::default(),
    );
    assert_sound(&document);
    assert_eq!(parse(&document).number("branches-valid"), 0);
}

#[test]
fn files_outside_the_root_keep_their_name() {
    let names = [
        "/home/me/.cargo/dep/src/lib.rs",
        "/w/main.rs",
        "/w/src/lib.rs",
        "/work2/x.rs",
    ];
    let files = names.map(|name| file(name, lines(&[(1, 1)])));
    let coverage = Coverage {
        files: files.to_vec(),
        functions: Vec::new(),
    };
    let options = Options {
        root: Some("/w".into()),
        ..Options::default()
    };
    let root = parse(&document(&coverage, &options));
    let of = |element: &str, attribute: &str| {
        let elements = root.all(element);
        elements
            .iter()
            .map(|element| element.attribute(attribute).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(root.all("source")[0].text, "/w");
    assert_eq!(
        of("package", "name"),
        [".", "home.me..cargo.dep.src", "src", "work2"]
    );
    assert_eq!(
        of("class", "filename"),
        [
            "main.rs",
            "/home/me/.cargo/dep/src/lib.rs",
            "src/lib.rs",
            "/work2/x.rs"
        ]
    );
}

#[test]
fn windows_paths_have_packages_too() {
    let names = [r"C:\w\main.rs", r"C:\w\src\net\tcp.rs"];
    let files = names.map(|name| file(name, lines(&[(1, 1)]))).to_vec();
    let coverage = Coverage {
        files,
        functions: Vec::new(),
    };
    let root = parse(&document(&coverage, &Options::default()));
    let packages = root.all("package");
    assert_eq!(root.all("source")[0].text, r"C:\w\");
    assert_eq!(packages[0].attribute("name"), ".");
    assert_eq!(packages[1].attribute("name"), "src.net");
    assert_eq!(
        packages[1].all("class")[0].attribute("filename"),
        r"src\net\tcp.rs"
    );
}

#[test]
fn hostile_names_come_back_as_they_were() {
    let hostile = "/w/<script>/&amp;\"'\t\r\n]]>.rs";
    let mut a = file(hostile, lines(&[(1, 1)]));
    a.groups = vec![group((1, 1), &[0], 1)];
    let coverage = Coverage {
        files: vec![a],
        functions: vec![function(
            "<T as \"&'\n\t\">::f",
            1,
            vec![code((1, 1), (1, 2), 1)],
        )],
    };
    let document = document(
        &coverage,
        &Options {
            root: Some("/w".into()),
            ..Options::default()
        },
    );
    assert_sound(&document);
    assert!(!document.contains("<script>"));
    let root = parse(&document);
    assert_eq!(root.all("class")[0].attribute("filename"), &hostile[3..]);
    assert_eq!(root.all("package")[0].attribute("name"), "<script>");
    assert_eq!(
        root.all("method")[0].attribute("name"),
        "<T as \"&'\n\t\">::f"
    );
    assert!(
        document.contains("&#10;&#9;"),
        "a parser would turn these into spaces"
    );
}

#[test]
fn what_xml_cannot_hold_is_replaced() {
    let mut a = file("", lines(&[(1, 1)]));
    a.name = b"/\x01<\xff/\x00\x1f\xef\xbf\xbf\x7f.rs".as_slice().into();
    a.groups = vec![group((1, 1), &[0], 1)];
    let mut f = function("", 1, vec![code((1, 1), (1, 2), 1)]);
    f.name = b"f\x1b\xc3".as_slice().into();
    let document = document(
        &Coverage {
            files: vec![a],
            functions: vec![f],
        },
        &Options::default(),
    );
    assert_sound(&document);
    let root = parse(&document);
    assert_eq!(root.all("source")[0].text, "/\u{fffd}<\u{fffd}/");
    assert_eq!(
        root.all("class")[0].attribute("filename"),
        "\u{fffd}\u{fffd}\u{fffd}\u{7f}.rs"
    );
    assert_eq!(root.all("method")[0].attribute("name"), "f\u{fffd}\u{fffd}");
}

#[test]
fn groups_without_members_or_regions_are_survived() {
    let mut a = file("a.rs", lines(&[(1, 1)]));
    a.groups = vec![
        group((1, 1), &[], 0),
        group((1, 1), &[0], 0),
        group((1, 1), &[1], 0),
    ];
    let mut lost = function("lost", 0, vec![code((1, 1), (1, 2), 0)]);
    lost.main_file = None;
    let functions = vec![function("empty", 0, Vec::new()), lost];
    let document = document(
        &Coverage {
            files: vec![a],
            functions,
        },
        &Options::default(),
    );
    assert_sound(&document);
    assert_eq!(parse(&document).all("method").len(), 2);
}

/// The checks above are only worth something if they notice.
#[test]
fn broken_documents_are_noticed() {
    let good = document(&generic(), &Options::default());
    let breaks = [
        (
            "<methods>\n          </methods>",
            "",
            "an element that is missing",
        ),
        (
            "</packages>",
            "</packages><sources></sources>",
            "an element out of order",
        ),
        (" signature=\"\"", "", "an attribute that is missing"),
        (
            "complexity=\"0\"",
            "colour=\"0\"",
            "an attribute that the DTD lacks",
        ),
        (
            "lines-valid=\"6\"",
            "lines-valid=\"7\"",
            "a total that is wrong",
        ),
        (
            "line-rate=\"0.75\"",
            "line-rate=\"0.7\"",
            "a rate that is wrong",
        ),
        ("25% (1/4)", "50% (2/4)", "a condition that is wrong"),
        ("src/a.rs", "src/\x01.rs", "a character that XML lacks"),
        ("src/a.rs", "src/&a.rs", "a reference that is not closed"),
        ("</coverage>", "", "an element that is not closed"),
    ];
    for (from, to, what) in breaks {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{what}: {from} occurs");
        assert!(
            std::panic::catch_unwind(|| assert_sound(&bad)).is_err(),
            "{what}"
        );
    }
}
