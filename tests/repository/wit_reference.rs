//! `wit/README.md` is generated from the interfaces, so that it is never out of
//! date. Everything it shows is in the WIT files; an item without documentation
//! or without `@since` fails here.

use std::fmt::Write as _;

use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, Resolve, Stability, Type, TypeDefKind, TypeId,
    WorldItem,
};

use crate::support::golden::assert_golden;

const HEAD: &str = "\
# flowhost:engine

The contract between a host and a component, package `flowhost:engine@0.1.0`. This page is \
generated from the files beside it by `make golden`.

Within the minor line `0.1` functions are added and none is changed: a component built for any \
`0.1.x` runs on a host of any other, provided that host has the functions the component uses. \
Every function is synchronous. A refusal is a returned value, never a trap. A guest acts only as \
the execution its sandbox was opened for, or as those it claimed.
";

#[test]
fn golden_wit_reference() {
    let mut resolve = Resolve::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/wit");
    let (package, _) = resolve.push_dir(folder).expect("the interfaces parse");
    let package = &resolve.packages[package];
    let mut text = HEAD.to_owned();
    for (name, id) in &package.worlds {
        let world = &resolve.worlds[*id];
        write!(
            text,
            "\n## world `{name}`\n\n{}\n\n",
            docs(name, &world.docs)
        )
        .expect("text");
        since(name, &world.stability);
        for (title, items) in [("imports", &world.imports), ("exports", &world.exports)] {
            let names: Vec<_> = items
                .values()
                .filter_map(|item| match item {
                    WorldItem::Interface { id, .. } => resolve.interfaces[*id].name.as_deref(),
                    _ => None,
                })
                .map(|name| format!("[`{name}`](#interface-{name})"))
                .collect();
            writeln!(text, "- {title}: {}", names.join(", ")).expect("text");
        }
    }
    for (name, id) in &package.interfaces {
        interface(&mut text, &resolve, name, &resolve.interfaces[*id]);
    }
    assert_golden("wit/README.md", &text);
}

fn interface(text: &mut String, resolve: &Resolve, name: &str, interface: &Interface) {
    since(name, &interface.stability);
    write!(
        text,
        "\n## interface `{name}`\n\n{}\n",
        docs(name, &interface.docs)
    )
    .expect("text");
    for (item, id) in &interface.types {
        type_definition(text, resolve, item, *id);
        let methods = interface
            .functions
            .values()
            .filter(|f| f.kind.resource() == Some(*id));
        for function in methods {
            write_function(text, resolve, function);
        }
    }
    for function in interface
        .functions
        .values()
        .filter(|f| f.kind.resource().is_none())
    {
        write_function(text, resolve, function);
    }
}

fn type_definition(text: &mut String, resolve: &Resolve, name: &str, id: TypeId) {
    let definition = &resolve.types[id];
    if matches!(&definition.kind, TypeDefKind::Type(Type::Id(of)) if resolve.types[*of].name.as_deref() == Some(name))
    {
        return;
    }
    since(name, &definition.stability);
    let about = docs(name, &definition.docs);
    match &definition.kind {
        TypeDefKind::Record(record) => {
            let _ = write!(text, "\n### record `{name}`\n\n{about}\n\n");
            for field in &record.fields {
                let about = docs(&format!("{name}.{}", field.name), &field.docs).replace('\n', " ");
                let _ = writeln!(
                    text,
                    "- `{}: {}` — {about}",
                    field.name,
                    shape(resolve, &field.ty)
                );
            }
        }
        TypeDefKind::Variant(variant) => {
            let _ = write!(text, "\n### variant `{name}`\n\n{about}\n\n");
            for case in &variant.cases {
                let about = docs(&format!("{name}.{}", case.name), &case.docs).replace('\n', " ");
                let held = case
                    .ty
                    .map(|ty| format!("({})", shape(resolve, &ty)))
                    .unwrap_or_default();
                let _ = writeln!(text, "- `{}{held}` — {about}", case.name);
            }
        }
        TypeDefKind::Enum(names) => {
            let _ = write!(text, "\n### enum `{name}`\n\n{about}\n\n");
            for case in &names.cases {
                let about = docs(&format!("{name}.{}", case.name), &case.docs).replace('\n', " ");
                let _ = writeln!(text, "- `{}` — {about}", case.name);
            }
        }
        TypeDefKind::Resource => {
            let _ = write!(text, "\n### resource `{name}`\n\n{about}\n");
        }
        TypeDefKind::Type(of) => {
            let _ = write!(
                text,
                "\n### type `{name}` = `{}`\n\n{about}\n",
                shape(resolve, of)
            );
        }
        other => panic!("{name}: {other:?} is not described yet"),
    }
}

fn write_function(text: &mut String, resolve: &Resolve, function: &Function) {
    since(&function.name, &function.stability);
    let method = matches!(function.kind, FunctionKind::Method(_));
    let parameters: Vec<_> = function
        .params
        .iter()
        .skip(usize::from(method))
        .map(|parameter| format!("{}: {}", parameter.name, shape(resolve, &parameter.ty)))
        .collect();
    let result = match (&function.result, &function.kind) {
        (Some(result), kind) if !matches!(kind, FunctionKind::Constructor(_)) => {
            format!(" -> {}", shape(resolve, result))
        }
        _ => String::new(),
    };
    let name = function
        .name
        .trim_start_matches("[method]")
        .trim_start_matches("[constructor]");
    let what = match function.kind {
        FunctionKind::Constructor(_) => "constructor of ",
        _ => "",
    };
    let _ = write!(
        text,
        "\n#### {what}`{name}: func({}){result}`\n\n{}\n",
        parameters.join(", "),
        docs(name, &function.docs)
    );
}

fn shape(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else {
        return match ty {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::F64 => "f64",
            Type::String => "string",
            other => panic!("{other:?} does not map to one type in every guest language"),
        }
        .to_owned();
    };
    let definition = &resolve.types[*id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let maybe = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), |ty| shape(resolve, ty));
    match &definition.kind {
        TypeDefKind::List(of) => format!("list<{}>", shape(resolve, of)),
        TypeDefKind::Option(of) => format!("option<{}>", shape(resolve, of)),
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (ok, Some(err)) => format!("result<{}, {}>", maybe(ok), shape(resolve, err)),
            (ok, None) => format!("result<{}>", maybe(ok)),
        },
        TypeDefKind::Tuple(tuple) => {
            let parts: Vec<_> = tuple.types.iter().map(|ty| shape(resolve, ty)).collect();
            format!("tuple<{}>", parts.join(", "))
        }
        TypeDefKind::Handle(Handle::Borrow(id)) => {
            format!(
                "borrow<{}>",
                resolve.types[*id].name.as_deref().unwrap_or("?")
            )
        }
        TypeDefKind::Handle(Handle::Own(id)) => {
            resolve.types[*id].name.as_deref().unwrap_or("?").to_owned()
        }
        other => panic!("{other:?} is not described yet"),
    }
}

fn docs<'a>(name: &str, docs: &'a Docs) -> &'a str {
    match docs.contents.as_deref().map(str::trim) {
        Some(text) if !text.is_empty() => text,
        _ => panic!("`{name}` has no documentation"),
    }
}

fn since(name: &str, stability: &Stability) {
    assert!(
        matches!(stability, Stability::Stable { .. }),
        "`{name}` has no @since"
    );
}
