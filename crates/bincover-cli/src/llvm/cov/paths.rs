//! Paths as LLVM takes them apart on Unix (LLVM: `llvm/Support/Path.h`). They are bytes: they come
//! from object files, which may have been made elsewhere.

/// How long the root is: `/`, or `//net/`.
fn root_len(path: &[u8]) -> usize {
    match path {
        [b'/', b'/', third, ..] if *third != b'/' => {
            let name = path[2..].iter().position(|&byte| byte == b'/');
            name.map_or(path.len(), |name| name + 3)
        }
        [b'/', ..] => 1,
        _ => 0,
    }
}

/// Where each component begins, and what it is. The root is one, repeated separators are passed
/// over, and a separator at the end makes a last component `.` (LLVM: `path::begin`).
pub(super) fn components(path: &[u8]) -> Vec<(usize, &[u8])> {
    let mut components = Vec::new();
    let root = root_len(path);
    if root > 2 {
        let name_end = path[2..].iter().position(|&byte| byte == b'/');
        components.push((0, &path[..name_end.map_or(path.len(), |end| end + 2)]));
    }
    if root > 0 && path[root - 1] == b'/' {
        components.push((root - 1, &b"/"[..]));
    }
    let mut at = root;
    while at < path.len() {
        if path[at] == b'/' {
            at += 1;
            if at == path.len() && at > root {
                components.push((at - 1, b"."));
            }
            continue;
        }
        let len = path[at..].iter().position(|&byte| byte == b'/');
        let end = len.map_or(path.len(), |len| at + len);
        components.push((at, &path[at..end]));
        at = end;
    }
    components
}

/// Without empty components, `.` and `..`; the root stays, and so do `..` at the start of a
/// relative path (LLVM: `remove_dots`).
pub(super) fn remove_dots(path: &[u8]) -> Vec<u8> {
    let root = root_len(path);
    let is_absolute = root > 0 && path[root - 1] == b'/';
    let mut kept: Vec<&[u8]> = Vec::new();
    for component in path[root..].split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => match kept.last() {
                Some(last) if *last != b".." => {
                    kept.pop();
                }
                _ if is_absolute => {}
                _ => kept.push(component),
            },
            _ => kept.push(component),
        }
    }
    let mut clean = path[..root].to_vec();
    clean.extend_from_slice(&kept.join(&b'/'));
    clean
}

/// With slashes instead of backslashes (LLVM: `native`).
pub(super) fn native(path: &[u8]) -> Vec<u8> {
    let slash = |&byte: &u8| if byte == b'\\' { b'/' } else { byte };
    path.iter().map(slash).collect()
}

/// The last component (LLVM: `filename`).
pub(super) fn file_name(path: &[u8]) -> &[u8] {
    components(path).last().map_or(&[], |(_, name)| name)
}

/// Everything before the last component (LLVM: `parent_path`).
pub(super) fn parent(path: &[u8]) -> &[u8] {
    let root = root_len(path);
    let Some(&(start, _)) = components(path).last() else {
        return &[];
    };
    if start < root {
        return &[];
    }
    let mut end = start;
    while end > root && path[end - 1] == b'/' {
        end -= 1;
    }
    &path[..end]
}

/// Without the root (LLVM: `relative_path`).
pub(super) fn relative(path: &[u8]) -> &[u8] {
    let rest = &path[root_len(path)..];
    let slashes = rest.iter().take_while(|&&byte| byte == b'/').count();
    &rest[slashes..]
}

/// Adds a component with one separator between (LLVM: `append`).
pub(super) fn append(path: &mut Vec<u8>, component: &[u8]) {
    if path.last() == Some(&b'/') {
        let slashes = component.iter().take_while(|&&byte| byte == b'/').count();
        path.extend_from_slice(&component[slashes..]);
        return;
    }
    if component.first() != Some(&b'/') && !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
}

/// How many bytes all paths begin with that are whole components; 0 for less than two paths.
pub(super) fn common_prefix(paths: &[&[u8]]) -> usize {
    let [first, others @ ..] = paths else {
        return 0;
    };
    if others.is_empty() {
        return 0;
    }
    let of_first = components(first);
    let mut shared = of_first.len();
    for other in others {
        let same = of_first
            .iter()
            .zip(components(other))
            .take_while(|((_, a), (_, b))| a == b)
            .count();
        // A path that is a beginning of the first one cuts nothing, as in LLVM.
        if same < components(other).len() {
            shared = shared.min(same);
        }
    }
    of_first
        .get(shared)
        .map_or(first.len(), |(start, _)| *start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn dots() {
        let table = [
            ("/src/../../../a.c", "/a.c"),
            ("rel/dir/../../../a.c", "../a.c"),
            ("/a/../b/a.c", "/b/a.c"),
            ("./a.c", "a.c"),
            ("/x//y/", "/x/y"),
            ("//net/x/../y", "//net/y"),
            ("/..", "/"),
            ("", ""),
        ];
        for (path, expected) in table {
            assert_eq!(text(&remove_dots(path.as_bytes())), expected, "{path}");
        }
    }

    #[test]
    fn pieces() {
        let table = [
            ("/a/b.c", "/a", "b.c", "a/b.c"),
            ("/b.c", "/", "b.c", "b.c"),
            ("b.c", "", "b.c", "b.c"),
            ("a//b.c", "a", "b.c", "a//b.c"),
            ("//net/b.c", "//net/", "b.c", "b.c"),
            ("/", "", "/", ""),
            ("", "", "", ""),
        ];
        for (path, expected_parent, name, rest) in table {
            let path = path.as_bytes();
            assert_eq!(
                (
                    text(parent(path)),
                    text(file_name(path)),
                    text(relative(path))
                ),
                (expected_parent, name, rest)
            );
        }
    }

    #[test]
    fn prefixes() {
        let table: [(&[&str], usize); 6] = [
            (&["/a/b.c"], 0),
            (&["/a/b.c", "/a/c.c"], 3),
            (&["/a/b.c", "/d/c.c"], 1),
            (&["/a/b.c", "b.c"], 0),
            (&["/a/b.c", "/a/b.c"], 6),
            (&["/a/x/b.c", "/a/x/y/c.c", "/a//x/d.c"], 5),
        ];
        for (paths, expected) in table {
            let bytes: Vec<&[u8]> = paths.iter().map(|path| path.as_bytes()).collect();
            assert_eq!(common_prefix(&bytes), expected, "{paths:?}");
        }
    }

    #[test]
    fn appended() {
        for (path, component, expected) in [
            ("", "a", "a"),
            ("d", "a", "d/a"),
            ("d/", "/a", "d/a"),
            ("d", "", "d/"),
            ("d", "/a", "d/a"),
        ] {
            let mut path = path.as_bytes().to_vec();
            append(&mut path, component.as_bytes());
            assert_eq!(text(&path), expected);
        }
    }
}
