//! Parts of Rust's sources, found by a parser of the language (syn).
//!
//! A parser that calls itself for whatever lies in something else needs a stack as deep as the
//! source. So how deep a source can be is reckoned before it is parsed, one that is too deep is
//! refused, and others are parsed on a thread whose stack is made for that.

use std::sync::Arc;

use bincover_model::{ExcludedPart, ExcludedRange};
use bstr::ByteSlice;
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, Block, Expr, ExprCall, ImplItem, Item, ItemMod, Local, Macro, Meta, Path, Stmt,
    Token, TraitItem,
};

use super::modules::{Module, Modules, Scope, ScopeId};
use super::{Skip, range};
use crate::limits::{MAX_PARSED_BYTES, MAX_PARSED_DEPTH};

/// What an open call of the parser takes of the stack at most: more than eight times what was measured, with
/// optimised dependencies. Pages that are not touched cost nothing.
const STACK_PER_CALL: usize = 64 << 10;
/// Calls that there are however flat a source is.
const CALLS_BESIDE: usize = 32;

/// What was found in a source.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ranges: Vec<ExcludedRange>,
    pub(super) modules: Modules,
}

/// Finds what is to be skipped. The error is in words.
pub(super) fn read(text: &[u8], skip: &[Skip]) -> Result<Found, String> {
    if text.len() > MAX_PARSED_BYTES {
        let len = text.len();
        return Err(format!(
            "it has {len} bytes, and no more than {MAX_PARSED_BYTES} are parsed"
        ));
    }
    let text = text
        .to_str()
        .map_err(|error| format!("it is no UTF-8 at byte {}", error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A line for the shell keeps its number.
    let is_script = text.starts_with("#!") && !text[2..].trim_start().starts_with('[');
    let commented = is_script.then(|| format!("//{text}"));
    let text = commented.as_deref().unwrap_or(text);
    let depth = tokens(text).map(|tokens| depth(&tokens));
    // The tokens are gone, and what is remembered of their places may go.
    proc_macro2::extra::invalidate_current_thread_spans();
    let depth = depth?;
    if depth > MAX_PARSED_DEPTH {
        return Err(format!(
            "it is nested too deep: up to {depth} levels, and no more than {MAX_PARSED_DEPTH} are parsed"
        ));
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("rust-parser".into())
            .stack_size((depth + CALLS_BESIDE) * STACK_PER_CALL);
        let parsing = thread.spawn_scoped(scope, || parse(text, skip));
        let parsing = parsing.map_err(|error| format!("no thread to parse it: {error}"))?;
        let ended = parsing.join();
        ended.unwrap_or_else(|_| Err("the parser failed".to_owned()))
    })
}

fn unparsed(line: usize, error: &dyn std::fmt::Display) -> String {
    format!("it is not parsed as Rust, at line {line}: {error}")
}

/// Lexing does not go deep.
fn tokens(text: &str) -> Result<TokenStream, String> {
    let tokens = text.parse();
    tokens.map_err(|error: proc_macro2::LexError| unparsed(error.span().start().line, &error))
}

/// The text is not deeper than the stack.
fn parse(text: &str, skip: &[Skip]) -> Result<Found, String> {
    let tokens = tokens(text)?;
    let file = syn::parse2::<syn::File>(tokens)
        .map_err(|error| unparsed(error.span().start().line, &error))?;
    let mut finder = Finder {
        tests: skip.contains(&Skip::Tests),
        derives: skip.contains(&Skip::Derives),
        unreachable: skip.contains(&Skip::Unreachable),
        lines: text.lines().collect(),
        inside: None,
        found: Found::default(),
    };
    if finder.tests && file.attrs.iter().any(is_for_tests) {
        let rule: Arc<str> = Skip::Tests.rule().into();
        let all = range(1, u32::MAX, ExcludedPart::File, &rule);
        finder.found.ranges.push(all);
    }
    finder.visit_file(&file);
    Ok(finder.found)
}

/// No less than how many calls of a parser can be open at once: of each group, the tokens since the
/// last that ends what came before it, and those of the groups around.
///
/// A `;` ends it, a `,` does but for closures' parameters and type arguments, and so do braces
/// unless what follows goes on with them. Attributes are read one after another.
fn depth(tokens: &TokenStream) -> usize {
    struct Group {
        tokens: proc_macro2::token_stream::IntoIter,
        /// What is around it.
        base: usize,
        run: usize,
        /// Of the run, what a `,` does not end.
        kept: usize,
        after_braces: bool,
        after_hash: bool,
    }
    let open = |tokens: TokenStream, base| Group {
        tokens: tokens.into_iter(),
        base,
        run: 0,
        kept: 0,
        after_braces: false,
        after_hash: false,
    };
    let mut deepest = 0;
    let mut groups = vec![open(tokens.clone(), 0)];
    while let Some(group) = groups.last_mut() {
        let Some(token) = group.tokens.next() else {
            groups.pop();
            continue;
        };
        let after_braces = std::mem::take(&mut group.after_braces);
        let after_hash = std::mem::take(&mut group.after_hash);
        let mut inner = None;
        match token {
            TokenTree::Group(next) => {
                group.after_braces = next.delimiter() == Delimiter::Brace;
                group.run += usize::from(!after_hash);
                inner = Some((next.stream(), group.base + group.run + 1));
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ';' => (group.run, group.kept) = (0, 0),
                ',' => group.run = group.kept,
                '#' => {
                    group.after_hash = true;
                    if after_braces {
                        group.run = group.kept;
                    }
                }
                '\'' if after_braces => group.run = 1,
                '<' | '|' => {
                    group.run += 1;
                    group.kept += 1;
                }
                _ => group.run += 1,
            },
            TokenTree::Ident(ident) if after_braces && ident != "else" && ident != "as" => {
                group.run = group.kept + 1;
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => group.run += 1,
        }
        deepest = deepest.max(group.base + group.run);
        if let Some((tokens, base)) = inner {
            groups.push(open(tokens, base));
        }
    }
    deepest
}

/// Whether an attribute makes its item one for tests alone.
fn is_for_tests(attribute: &Attribute) -> bool {
    const TESTS: [&str; 5] = ["test", "bench", "rstest", "test_case", "quickcheck"];
    let path = attribute.path();
    if path.is_ident("cfg") {
        let arguments = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        return arguments.is_ok_and(|arguments| arguments.iter().any(needs_test));
    }
    let last = path.segments.last();
    last.is_some_and(|last| TESTS.iter().any(|name| last.ident == name))
}

/// Whether a condition holds in tests alone.
fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => {
            let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let Ok(inner) = inner else {
                return false;
            };
            if list.path.is_ident("all") {
                return inner.iter().any(needs_test);
            }
            list.path.is_ident("any") && !inner.is_empty() && inner.iter().all(needs_test)
        }
        _ => false,
    }
}

/// Goes through a file.
struct Finder<'t> {
    tests: bool,
    derives: bool,
    unreachable: bool,
    lines: Vec<&'t str>,
    /// The module around, if it is not the file's.
    inside: Option<ScopeId>,
    found: Found,
}

impl Finder<'_> {
    fn push(&mut self, from: Span, to: Span, part: ExcludedPart, skip: Skip) {
        let line = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
        let (first, last) = (line(from.start().line), line(to.end().line));
        let rule: Arc<str> = skip.rule().into();
        self.found.ranges.push(range(first, last, part, &rule));
    }

    /// Whether something was for tests, and so is out. All of its tokens are gone through for its
    /// place, so that is asked for no sooner.
    fn skips(&mut self, attributes: &[Attribute], of: &impl Spanned) -> bool {
        let is_out = self.tests && attributes.iter().any(is_for_tests);
        if is_out {
            let span = of.span();
            self.push(span, span, ExcludedPart::Lines, Skip::Tests);
        }
        is_out
    }

    fn unreachable(&mut self, span: Span) {
        if self.unreachable {
            self.push(span, span, ExcludedPart::Unexecuted, Skip::Unreachable);
        }
    }

    /// A line that has nothing but what closes a block.
    fn closes_alone(&self, line: usize) -> bool {
        let text = line.checked_sub(1).and_then(|index| self.lines.get(index));
        text.is_some_and(|text| text.trim().chars().all(|one| "}),;".contains(one)))
    }
}

fn is_unreachable_macro(path: &Path) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| last.ident == "unreachable")
}

fn is_unreachable_call(call: &ExprCall) -> bool {
    let Expr::Path(function) = &*call.func else {
        return false;
    };
    let last = function.path.segments.last();
    last.is_some_and(|last| last.ident == "unreachable_unchecked")
}

/// An expression that is such a call, and nothing else but blocks around it.
fn is_unreachable(mut expression: &Expr) -> bool {
    loop {
        let block = match expression {
            Expr::Macro(one) => return is_unreachable_macro(&one.mac.path),
            Expr::Call(call) => return is_unreachable_call(call),
            Expr::Block(block) => &block.block,
            Expr::Unsafe(block) => &block.block,
            _ => return false,
        };
        match alone(block) {
            Alone::Expression(inner) => expression = inner,
            Alone::Macro(path) => return is_unreachable_macro(path),
            Alone::No => return false,
        }
    }
}

/// What a block holds alone.
enum Alone<'b> {
    Expression(&'b Expr),
    Macro(&'b Path),
    No,
}

fn alone(block: &Block) -> Alone<'_> {
    match &block.stmts[..] {
        [Stmt::Expr(inner, _)] => Alone::Expression(inner),
        [Stmt::Macro(inner)] => Alone::Macro(&inner.mac.path),
        _ => Alone::No,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Mod(module) = item
            && module.content.is_none()
        {
            self.outline(module);
            return;
        }
        if !self.skips(attributes(item), item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let around = self.inside;
        self.inside = Some(self.found.modules.open(Scope {
            name: name(module),
            inside: around,
        }));
        visit::visit_item_mod(self, module);
        self.inside = around;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs[..],
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !self.skips(attributes, item) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => &item.attrs[..],
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !self.skips(attributes, item) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !self.skips(&local.attrs, local) {
            visit::visit_local(self, local);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if self.skips(&arm.attrs, arm) {
            return;
        }
        if is_unreachable(&arm.body) {
            self.unreachable(arm.span());
            return;
        }
        visit::visit_arm(self, arm);
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let is_alone = match alone(block) {
            Alone::Expression(inner) => is_unreachable(inner),
            Alone::Macro(path) => is_unreachable_macro(path),
            Alone::No => false,
        };
        let end = block.brace_token.span.close();
        if is_alone && self.closes_alone(end.end().line) {
            self.unreachable(end);
        }
        visit::visit_block(self, block);
    }

    fn visit_macro(&mut self, one: &'ast Macro) {
        if is_unreachable_macro(&one.path) {
            self.unreachable(one.span());
        }
        visit::visit_macro(self, one);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if is_unreachable_call(call) {
            self.unreachable(call.span());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if self.derives && attribute.path().is_ident("derive") {
            let span = attribute.span();
            self.push(span, span, ExcludedPart::Lines, Skip::Derives);
        }
    }
}

impl Finder<'_> {
    fn outline(&mut self, module: &ItemMod) {
        let is_test = module.attrs.iter().any(is_for_tests);
        let path = module.attrs.iter().find_map(|attribute| {
            let Meta::NameValue(pair) = &attribute.meta else {
                return None;
            };
            let Expr::Lit(literal) = &pair.value else {
                return None;
            };
            match &literal.lit {
                syn::Lit::Str(text) if pair.path.is_ident("path") => Some(text.value()),
                _ => None,
            }
        });
        self.found.modules.outline.push(Module {
            is_test,
            name: name(module),
            path,
            inside: self.inside,
        });
    }
}

fn name(module: &ItemMod) -> String {
    let name = module.ident.to_string();
    name.trim_start_matches("r#").to_owned()
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
