//! A procedural macro, which runs in the compiler.

use proc_macro::TokenStream;

/// Implements `Named` with the type's own name.
#[proc_macro_derive(Named)]
pub fn named(input: TokenStream) -> TokenStream {
    let name = name_of(&input.to_string());
    let code =
        format!("impl Named for {name} {{ fn name(&self) -> &'static str {{ \"{name}\" }} }}");
    code.parse().unwrap()
}

fn name_of(item: &str) -> String {
    let mut words = item.split_whitespace();
    while let Some(word) = words.next() {
        if word == "struct" || word == "enum" {
            let name = words.next().unwrap_or("");
            return name.trim_end_matches([';', '{']).to_owned();
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names() {
        assert_eq!(super::name_of("pub struct A;"), "A");
        assert_eq!(super::name_of("fn a() {}"), "");
    }
}
