use super::*;

/// Names are found again, whatever they were.
#[test]
fn names() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(folder.path()).unwrap();
    for name in [
        "a.profraw",
        "a/b/c.profraw",
        "100%2F%/d-1.profraw",
        "%.profraw",
    ] {
        let path = folder.path().join("x");
        std::fs::write(&path, b"").unwrap();
        state.take(Path::new(name), &path).unwrap();
        let waiting = state.waiting().unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(state::original(&waiting[0]), Path::new(name));
        state.add_to_batch(&waiting[0], 1).unwrap();
    }
    assert_eq!(state.batch(1).unwrap().len(), 4);
    drop(state);
    // The next fold goes on with the numbers, and long names lose their beginning only.
    let state = State::open(folder.path()).unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, b"").unwrap();
    state.take(Path::new(&"long".repeat(100)), &path).unwrap();
    let waiting = state.waiting().unwrap();
    let name = waiting[0].file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("4-") && name.ends_with("longlong"));
}

#[test]
fn a_record_of_another_version() {
    let folder = tempfile::tempdir().unwrap();
    let here = Folder::new(folder.path());
    let total = folder.path().join(STATE).join("total-3");
    std::fs::create_dir_all(&total).unwrap();
    let json = r#"{"version": 9, "files": 1, "empty": 0, "left_out": [], "entries": []}"#;
    std::fs::write(total.join("fold.json"), json).unwrap();
    let error = here.fold().unwrap_err().to_string();
    assert!(error.ends_with("expected version 1, found 9"), "{error}");
}
