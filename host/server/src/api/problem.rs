//! The schema of a problem. Its codes are named by the API, which assigns them.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What went wrong, as `application/problem+json`.
#[derive(Debug)]
pub struct ProblemBody;

impl PartialSchema for ProblemBody {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let described = |text: &str| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(text))
        };
        ObjectBuilder::new()
            .description(Some("What went wrong. Further members depend on the code."))
            .property(
                "type",
                text().format(Some(SchemaFormat::Custom("uri".to_owned()))),
            )
            .property(
                "title",
                described("What every problem with this code is called"),
            )
            .property("status", ObjectBuilder::new().schema_type(Type::Integer))
            .property("code", described("A stable name for programs"))
            .property(
                "detail",
                described("A sentence for people, about this occurrence"),
            )
            .required("type")
            .required("title")
            .required("status")
            .required("code")
            .required("detail")
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .into()
    }
}

impl ToSchema for ProblemBody {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }
}
