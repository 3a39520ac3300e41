//! The modules of each crate depend on one another in one direction only.
//!
//! A module depends on another if its code (without tests) names something that the other defines. A parent that
//! re-exports something of a child (`pub use`) does not depend on it: each name is resolved to its definition.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

type Segments = Vec<String>;

/// A path that a module names and, if the module re-exports it, the new name.
struct Named {
    path: Segments,
    passed_on_as: Option<String>,
}

/// A crate's modules by path (`[]` for the root), and what each names.
struct Crate(BTreeMap<Segments, Vec<Named>>);

impl Crate {
    fn read(source: &Path) -> Self {
        let mut modules = BTreeMap::new();
        read_folder(source, &[], &mut modules);
        assert!(modules.contains_key(&Vec::new()), "{} has no lib.rs", source.display());
        Self(modules)
    }

    /// Resolves `path`, as written in `module`, from the crate's root. `None` for other crates.
    fn resolve(&self, module: &[String], path: &[String]) -> Option<Segments> {
        let (first, rest) = path.split_first()?;
        let mut from: Segments = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module.split_last()?.1.to_vec(),
            child => {
                let child = [module, &[child.to_owned()]].concat();
                if !self.0.contains_key(&child) {
                    return None;
                }
                child
            }
        };
        for segment in rest {
            if segment == "super" {
                from.pop();
            } else {
                from.push(segment.clone());
            }
        }
        Some(from)
    }

    /// The module that defines the item at `path` from the root.
    fn definer(&self, path: &Segments) -> Segments {
        let depth = (0..=path.len()).rev().find(|depth| self.0.contains_key(&path[..*depth])).unwrap();
        let (module, rest) = path.split_at(depth);
        let passed_on = rest.first().and_then(|name| {
            let named = self.0[module].iter().find(|named| named.passed_on_as.as_ref() == Some(name))?;
            self.resolve(module, &named.path)
        });
        passed_on.map_or_else(|| module.to_vec(), |path| self.definer(&path))
    }

    fn dependencies(&self) -> BTreeMap<&Segments, BTreeSet<Segments>> {
        self.0
            .iter()
            .map(|(module, named)| {
                let of_own = named.iter().filter(|named| named.passed_on_as.is_none());
                let paths = of_own.filter_map(|named| self.resolve(module, &named.path));
                let mut on: BTreeSet<Segments> = paths.map(|path| self.definer(&path)).collect();
                on.remove(module);
                (module, on)
            })
            .collect()
    }

    /// The modules in dependency cycles, and those that depend on them.
    fn in_circles(&self) -> BTreeMap<&Segments, BTreeSet<Segments>> {
        let mut left = self.dependencies();
        loop {
            let before = left.len();
            let modules: BTreeSet<Segments> = left.keys().map(|module| (*module).clone()).collect();
            for on in left.values_mut() {
                on.retain(|module| modules.contains(module));
            }
            left.retain(|_, on| !on.is_empty());
            if left.len() == before {
                return left;
            }
        }
    }
}

fn read_folder(folder: &Path, module: &[String], into: &mut BTreeMap<Segments, Vec<Named>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let child = [module, std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            read_folder(&path, &child, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") && name != "tests" && name != "main" {
            let code: TokenStream = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            let mut named = Vec::new();
            names_in(code, &mut named);
            let module = if name == "lib" || name == "mod" { module.to_vec() } else { child };
            into.insert(module, named);
        }
    }
}

/// Every path with `::`. Modules that are compiled only for tests are left out.
fn names_in(code: TokenStream, into: &mut Vec<Named>) {
    let tokens: Vec<TokenTree> = code.into_iter().collect();
    let (mut at, mut for_tests) = (0, false);
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(word) if word == "use" => {
                let is_pub = at > 0
                    && match &tokens[at - 1] {
                        TokenTree::Ident(word) => word == "pub",
                        // `pub(crate)`
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Parenthesis,
                        _ => false,
                    };
                let ends = tokens[at..]
                    .iter()
                    .position(|token| is_punct(token, ';'))
                    .map_or(tokens.len(), |n| at + n);
                used(&tokens[at + 1..ends], &[], is_pub, into);
                at = ends;
            }
            TokenTree::Ident(word) if word == "mod" => at += 1,
            TokenTree::Ident(_) => {
                let path = path_at(&tokens[at..]);
                at += 3 * (path.len() - 1);
                if path.len() > 1 {
                    into.push(Named { path, passed_on_as: None });
                }
            }
            TokenTree::Group(group) => {
                let text = group.stream().to_string();
                if group.delimiter() == Delimiter::Bracket && text.contains("cfg") && text.contains("test") {
                    for_tests = true;
                } else if group.delimiter() == Delimiter::Brace && for_tests {
                    for_tests = false;
                } else {
                    names_in(group.stream(), into);
                }
            }
            TokenTree::Punct(_) if is_punct(&tokens[at], ';') => for_tests = false,
            _ => {}
        }
        at += 1;
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// The path that starts here: words with `::` between them.
fn path_at(tokens: &[TokenTree]) -> Segments {
    let mut path = Vec::new();
    for three in tokens.chunks(3) {
        let TokenTree::Ident(word) = &three[0] else { break };
        path.push(word.to_string());
        if !(three.len() == 3 && is_punct(&three[1], ':') && is_punct(&three[2], ':')) {
            break;
        }
    }
    path
}

/// The paths in a `use`: a single one, or a group with a common prefix.
fn used(tokens: &[TokenTree], before: &[String], is_pub: bool, into: &mut Vec<Named>) {
    for tree in tokens.split(|token| is_punct(token, ',')).filter(|tree| !tree.is_empty()) {
        let mut path = [before, &path_at(tree)[..]].concat();
        match tree.last().unwrap() {
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                used(&inner, &path, is_pub, into);
            }
            last => {
                let name = match last {
                    TokenTree::Ident(name) => name.to_string(),
                    _ => "*".to_owned(),
                };
                if path.last().is_some_and(|word| word == "self") && path.len() > 1 {
                    path.pop();
                }
                into.push(Named { path, passed_on_as: is_pub.then_some(name) });
            }
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the count of circles is shown")]
fn modules_have_no_dependency_cycles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders =
        ["shared", "shared/typed-fluent", "vault", "clients/rust", "operator", "dev", "dev/simulated-notion"]
            .map(|folder| root.join(folder));
    let functions = std::fs::read_dir(root.join("functions")).unwrap().map(|entry| entry.unwrap().path());
    let mut in_circles = 0;
    for folder in folders.into_iter().chain(functions) {
        let read = Crate::read(&folder.join("src"));
        let circles = read.in_circles();
        println!("{}: {} modules, {} in circles: {circles:?}", folder.display(), read.0.len(), circles.len());
        in_circles += circles.len();
    }
    assert_eq!(in_circles, 0, "there are dependency cycles: see the output");
}

/// The check can fail: two modules that name each other, directly or through a re-export of their parent.
#[test]
fn a_circle_is_found() {
    let named = |code: &str| {
        let mut named = Vec::new();
        names_in(code.parse().unwrap(), &mut named);
        named
    };
    let module = |path: &str| {
        path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect::<Segments>()
    };
    let crate_of = |modules: &[(&str, &str)]| {
        Crate(modules.iter().map(|(path, code)| (module(path), named(code))).collect())
    };
    for (a, b) in [
        ("use crate::parent::b::{self, X};", "use super::a::Y;"),
        ("use crate::parent::{X, Z};", "fn f() -> super::a::Y { json!({ \"a\": crate::parent::a::y() }) }"),
        ("fn f(x: super::X) {}", "use super::a::{Y, y as z};"),
    ] {
        let parent = ("parent", "mod a; mod b; pub use b::X; pub struct Z;");
        let found = crate_of(&[("", "mod parent;"), parent, ("parent::a", a), ("parent::b", b)]);
        let circles: Vec<Segments> = found.in_circles().into_keys().cloned().collect();
        assert_eq!(circles, [module("parent::a"), module("parent::b")], "{a} {b}");
    }
    let without = "use super::Z; #[cfg(test)] mod tests { use super::super::a::Y; }";
    let parent = ("parent", "mod a; mod b; pub use a::Y; pub use b::X; pub struct Z;");
    let found =
        crate_of(&[("", "mod parent;"), parent, ("parent::a", "use super::X;"), ("parent::b", without)]);
    assert!(found.in_circles().is_empty());
}
