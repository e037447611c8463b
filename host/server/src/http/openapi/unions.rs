//! Unions in the document: each branch has a name of its own.
//!
//! Generators name what stands inline after its place. So two branches get one name, and
//! a condition that contains conditions gets none: they leave out what they cannot name,
//! and every operation with it.

use std::collections::BTreeMap;

use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{AdditionalProperties, Discriminator, Object, OneOf, Type};
use utoipa::openapi::{OpenApi, Ref, RefOr, Required, Schema};

/// Tagged unions of requests. Their branches have no members but those described.
const CLOSED: [&str; 3] = ["Backoff", "CompositeBody", "EdgeGroupPolicy"];

/// Makes a schema of every branch that has a title, which becomes its name.
pub fn name_branches(document: &mut OpenApi) {
    let Some(components) = &mut document.components else {
        return;
    };
    let mut named = Vec::new();
    for (name, schema) in &mut components.schemas {
        let RefOr::T(Schema::OneOf(union)) = schema else {
            continue;
        };
        let closed = CLOSED.contains(&name.as_str());
        union.discriminator = discriminator(union);
        for branch in &mut union.items {
            if let RefOr::T(Schema::Object(object)) = branch
                && let Some(title) = object.title.take()
            {
                // What is named by its only member has no other.
                if closed || object.properties.len() == 1 {
                    let none = AdditionalProperties::FreeForm(false);
                    object.additional_properties = Some(Box::new(none));
                }
                let reference = Ref::from_schema_name(&title).into();
                named.push((title, std::mem::replace(branch, reference)));
            }
        }
    }
    components.schemas.extend(named);
}

/// Returns the member that tells the branches of a union apart, if each has one value of
/// its own for it.
fn discriminator(union: &OneOf) -> Option<Discriminator> {
    let tags: Option<Vec<_>> = union.items.iter().map(tag).collect();
    let tags = tags?;
    let (member, ..) = tags.first()?;
    if tags.iter().any(|(other, ..)| other != member) {
        return None;
    }
    let mapping: BTreeMap<_, _> = tags
        .iter()
        .map(|(_, value, title)| {
            let reference = Ref::from_schema_name(*title);
            ((*value).to_owned(), reference.ref_location)
        })
        .collect();
    Some(Discriminator::with_mapping(*member, mapping))
}

/// Returns the member of a branch that has one value, that value, and the title.
fn tag(branch: &RefOr<Schema>) -> Option<(&str, &str, &str)> {
    let RefOr::T(Schema::Object(Object {
        properties, title, ..
    })) = branch
    else {
        return None;
    };
    properties.iter().find_map(|(member, schema)| match schema {
        RefOr::T(Schema::Object(Object { enum_values, .. })) => match enum_values.as_deref()? {
            [value] => Some((member.as_str(), value.as_str()?, title.as_deref()?)),
            _ => None,
        },
        _ => None,
    })
}

/// Says that a body may be left out. `null`, as the description of an `Option` says, is
/// not read.
pub fn leave_out(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        let given = match &mut content.schema {
            Some(RefOr::T(Schema::OneOf(union))) => {
                let null = |schema: &RefOr<Schema>| matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == Type::Null.into());
                union.items.retain(|schema| !null(schema));
                match &union.items[..] {
                    [only] => only.clone(),
                    _ => continue,
                }
            }
            _ => continue,
        };
        content.schema = Some(given);
        body.required = Some(Required::False);
    }
}
