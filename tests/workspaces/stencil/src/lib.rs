//! Corners of shapes.

use proc_macro::TokenStream;

/// How many corners a shape has.
#[proc_macro]
pub fn corners(shape: TokenStream) -> TokenStream {
    let corners = match shape.to_string().as_str() {
        "triangle" => "3".to_owned(),
        "square" => "4".to_owned(),
        other => format!("compile_error!(\"no corners: {other}\")"),
    };
    corners.parse().expect("tokens")
}
