//! The body of `config`: `bincover.toml`.

/// Reads the bytes as the file of options. It is read or there is a message with its place.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match bincover_cli::config_options(text) {
        Ok(shown) => assert!(shown.lines().count() <= 1 + 64 * text.len()),
        Err(message) => {
            let place = message.strip_prefix("bincover.toml:").expect("a place");
            let line = place.split(':').next().unwrap_or_default();
            let line: usize = line.parse().expect("a line");
            assert!(
                (1..=1 + text.matches('\n').count()).contains(&line),
                "{message}"
            );
        }
    }
}
