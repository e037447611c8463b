//! Writes what [`bound`] says into the schemas of requests and into parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use model::{Limits, patterns};
use utoipa::Number;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, ArrayItems, KnownFormat, Object, ObjectBuilder,
    OneOfBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{OpenApi, Ref, RefOr, Schema};

use super::document::operations;
use crate::api::{Bound, LABELS, bound, items};

/// Schemas of names, by their own name.
type Named = BTreeMap<&'static str, Vec<String>>;

/// Bounds every member of the schemas of requests, and every parameter.
pub fn write(document: &mut OpenApi) {
    let requested = requested(document);
    let mut named = Named::new();
    for operation in operations(document) {
        parameters(operation, &mut named);
    }
    let Some(components) = &mut document.components else {
        return;
    };
    for (name, schema) in &mut components.schemas {
        if let RefOr::T(Schema::Object(object)) = schema
            && requested.contains(name)
        {
            for (member, schema) in &mut object.properties {
                describe(name, member, schema, &mut named);
            }
        }
    }
    for (name, values) in named {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(values));
        components.schemas.insert(name.to_owned(), schema.into());
    }
}

fn parameters(operation: &mut Operation, named: &mut Named) {
    let of = operation.operation_id.clone().unwrap_or_default();
    for parameter in operation.parameters.iter_mut().flatten() {
        if let Some(schema) = &mut parameter.schema {
            describe(&of, &parameter.name, schema, named);
        }
    }
}

/// Returns the schemas that bodies of requests are made of.
fn requested(document: &mut OpenApi) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = Vec::new();
    for operation in operations(document) {
        if let Some(body) = &operation.request_body {
            for schema in body.content.values().filter_map(|it| it.schema.as_ref()) {
                references(schema, &mut open);
            }
        }
    }
    let schemas = document.components.as_ref().map(|it| &it.schemas);
    while let Some(name) = open.pop() {
        if let Some(schema) = schemas.and_then(|schemas| schemas.get(&name))
            && found.insert(name)
        {
            references(schema, &mut open);
        }
    }
    found
}

/// Collects the names of the schemas to which one refers.
fn references(schema: &RefOr<Schema>, found: &mut Vec<String>) {
    let schema = match schema {
        RefOr::Ref(reference) => {
            found.extend(reference.ref_location.rsplit('/').next().map(str::to_owned));
            return;
        }
        RefOr::T(schema) => schema,
    };
    match schema {
        Schema::Object(object) => {
            let members = object.properties.values();
            members.for_each(|member| references(member, found));
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(item) = &array.items {
                references(item, found);
            }
        }
        Schema::OneOf(union) => union.items.iter().for_each(|it| references(it, found)),
        Schema::AllOf(union) => union.items.iter().for_each(|it| references(it, found)),
        _ => {}
    }
}

/// Bounds one member, or the items of a list.
fn describe(of: &str, member: &str, schema: &mut RefOr<Schema>, named: &mut Named) {
    match schema {
        RefOr::T(Schema::Array(array)) => {
            if let Some(range) = items(of, member) {
                array.min_items = Some(*range.start()).filter(|min| *min > 0);
                array.max_items = Some(*range.end());
            }
            // What is given twice counts once.
            array.unique_items = false;
            if let ArrayItems::RefOrSchema(item) = &mut array.items {
                describe(of, member, item, named);
            }
        }
        RefOr::T(Schema::Object(object))
            if object.additional_properties.is_some() && member == "tags" =>
        {
            labels(object, ["SetFlowTags", "SetTags"].contains(&of));
        }
        RefOr::T(Schema::Object(object)) if object.enum_values.is_none() => {
            match bound(of, member) {
                Some(Bound::Text(bytes, pattern)) => text(object, bytes, pattern),
                Some(Bound::Long(max)) => object.max_length = Some(max),
                Some(Bound::Pattern(pattern)) => object.pattern = Some(pattern.to_owned()),
                Some(Bound::Time) => {
                    object.format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
                    object.pattern = Some(patterns::TIME.to_owned());
                }
                Some(Bound::Number(range)) => {
                    object.minimum = Some(number(*range.start()));
                    object.maximum = Some(number(*range.end()));
                    if *range.end() > i32::MAX as u64 {
                        object.format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
                    }
                }
                Some(Bound::Name(name, values)) => {
                    named.insert(name, values);
                    *schema = reference(object, name);
                }
                Some(Bound::Free) | None => {}
            }
        }
        _ => {}
    }
}

fn text(object: &mut Object, bytes: RangeInclusive<usize>, pattern: &str) {
    object.min_length = Some(*bytes.start()).filter(|min| *min > 0);
    object.max_length = Some(*bytes.end());
    object.pattern = Some(pattern.to_owned());
}

fn number(value: u64) -> Number {
    Number::UInt(usize::try_from(value).unwrap_or(usize::MAX))
}

/// Bounds an object of labels; `is_change` is for one whose `null` removes a label.
fn labels(object: &mut Object, is_change: bool) {
    let mut key = Object::with_type(Type::String);
    text(&mut key, 0..=Limits::TAG_KEY_BYTES_MAX, patterns::TAG_KEY);
    object.property_names = Some(Box::new(key.into()));
    if let Some(values) = &mut object.additional_properties
        && let AdditionalProperties::RefOr(RefOr::T(Schema::Object(value))) = &mut **values
    {
        text(value, 0..=Limits::TAG_VALUE_BYTES_MAX, patterns::STORABLE);
    }
    if is_change {
        object.min_properties = Some(1);
    } else {
        object.max_properties = Some(*LABELS.end());
    }
}

/// Refers to a schema of names where a text stood.
fn reference(object: &Object, name: &str) -> RefOr<Schema> {
    let mut reference = Ref::from_schema_name(name);
    let nullable =
        matches!(&object.schema_type, SchemaType::Array(types) if types.contains(&Type::Null));
    if nullable {
        reference.description = object.description.clone().unwrap_or_default();
        return OneOfBuilder::new()
            .item(Object::with_type(Type::Null))
            .item(reference)
            .into();
    }
    if object.default.is_some() {
        return AllOfBuilder::new()
            .item(reference)
            .description(object.description.clone())
            .default(object.default.clone())
            .into();
    }
    reference.description = object.description.clone().unwrap_or_default();
    reference.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi::document::whole;

    /// A format is a bound too: a maximum beyond that of `int32` would contradict it.
    #[test]
    fn no_maximum_of_a_number_is_beyond_its_format() {
        let document = serde_json::to_value(whole()).expect("JSON");
        let mut open = vec![&document];
        let mut numbers = 0;
        while let Some(value) = open.pop() {
            if let (Some(format), Some(maximum)) = (value.get("format"), value.get("maximum")) {
                numbers += 1;
                let max = match format.as_str() {
                    Some("int32") => i32::MAX as u64,
                    _ => i64::MAX as u64,
                };
                assert!(maximum.as_u64().is_some_and(|it| it <= max), "{value}");
            }
            match value {
                serde_json::Value::Object(members) => open.extend(members.values()),
                serde_json::Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        assert!(numbers > 50, "{numbers}");
    }

    /// Every text and number of a request is bounded, or said to be free: what is new has
    /// its line.
    #[test]
    fn every_member_of_a_request_has_a_line_in_the_table() {
        let mut document = whole();
        let mut missing = Vec::new();
        let mut check = |of: &str, member: &str, schema: &RefOr<Schema>| {
            let schema = match schema {
                RefOr::T(Schema::Array(array)) => match &array.items {
                    ArrayItems::RefOrSchema(item) => item,
                    _ => return,
                },
                other => other,
            };
            if let RefOr::T(Schema::Object(object)) = schema
                && object.enum_values.is_none()
                && [Type::String, Type::Integer]
                    .iter()
                    .any(|it| is(object, it))
                && bound(of, member).is_none()
            {
                missing.push(format!("{of}.{member}"));
            }
        };
        for name in requested(&mut document) {
            let schemas = &document.components.as_ref().expect("schemas").schemas;
            if let Some(RefOr::T(Schema::Object(object))) = schemas.get(&name) {
                for (member, schema) in &object.properties {
                    check(&name, member, schema);
                }
            }
        }
        for operation in operations(&mut document) {
            let of = operation.operation_id.clone().expect("an id");
            for parameter in operation.parameters.iter().flatten() {
                check(
                    &of,
                    &parameter.name,
                    parameter.schema.as_ref().expect("one"),
                );
            }
        }
        assert!(
            missing.is_empty(),
            "bound these in api/bounds.rs: {missing:?}"
        );
    }

    fn is(object: &Object, wanted: &Type) -> bool {
        match &object.schema_type {
            SchemaType::Type(it) => it == wanted,
            SchemaType::Array(types) => types.contains(wanted),
            SchemaType::AnyValue => false,
        }
    }
}
