//! Requests of operators, which say who asks and why.

/// A request of an operator, which says who asks and why.
pub trait Asks {
    /// Takes the actor and the reason out of the request.
    fn by(&mut self) -> (Option<String>, Option<String>);
}

/// Defines such requests; a field is written as in [`answers`](super::answer::answers).
macro_rules! asks {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$field_meta:meta])*
            $field:ident $(? $($never:lifetime)?)?: $type:ty $(as $shown:ty)?,)*
        }
    )+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $name {
                $(
                    $(#[$field_meta])*
                    $(#[serde(default, skip_serializing_if = "Option::is_none")] $($never)?)?
                    $(#[schema(value_type = $shown)])?
                    pub $field: $type,
                )*
                /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the
                /// execution.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub actor: Option<String>,
                /// Why, for people; at most 1024 bytes. Kept with the execution.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub reason: Option<String>,
            }

            impl $crate::api::Asks for $name {
                fn by(&mut self) -> (Option<String>, Option<String>) {
                    (self.actor.take(), self.reason.take())
                }
            }
        )+
    };
}

pub(super) use asks;
