//! From claims to a principal: its name, and its roles by the rules of the settings.

use model::{Limits, Principal, RoleGrant};
use serde_json::{Map, Value};

use super::token::Reason;
use crate::config::{Oidc, Rule};

/// Beginning of the names of principals whose credential is a token.
const NAME: &str = "oidc:";

/// Returns the principal that claims describe. One to whom no rule gives a role may do
/// nothing, and is known all the same.
///
/// # Errors
/// The claims do not name the caller.
pub fn principal(settings: &Oidc, claims: &Map<String, Value>) -> Result<Principal, Reason> {
    let name = find(claims, &settings.name_claim);
    let Some(name) = name.and_then(Value::as_str) else {
        return Err("the claim that names the caller is absent or not a text");
    };
    if name.is_empty() || name.len() > Limits::CREDENTIAL_NAME_BYTES_MAX {
        return Err("the name of the caller is empty or too long");
    }
    // A note of the caller would follow a `/`.
    if name.contains(|c: char| c.is_control() || c == '/') {
        return Err("the name of the caller holds a / or a control character");
    }
    // Issuers let people enter an address before they verify it.
    let verified = claims.get("email_verified");
    if settings.name_claim == "email" && !is_true(verified.unwrap_or(&Value::Bool(true))) {
        return Err("the address of the caller was not verified");
    }
    let mut grants: Vec<RoleGrant> = Vec::new();
    for rule in settings.rules.iter().filter(|rule| holds(rule, claims)) {
        let grant = RoleGrant::from(&rule.grant());
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    Ok(Principal {
        name: Some(format!("{NAME}{name}")),
        credential_id: None,
        grants,
    })
}

/// Some issuers write it as a text.
fn is_true(value: &Value) -> bool {
    value == true || value == "true"
}

fn holds(rule: &Rule, claims: &Map<String, Value>) -> bool {
    let Some(value) = find(claims, &rule.claim) else {
        return false;
    };
    match (&rule.equals, &rule.contains) {
        (Some(wanted), None) => match value {
            Value::String(text) => text == wanted,
            Value::Bool(_) | Value::Number(_) => value.to_string().as_str() == wanted,
            _ => false,
        },
        (None, Some(wanted)) => match value {
            Value::Array(items) => items.iter().any(|item| item == wanted),
            Value::String(text) => text.split(' ').any(|word| word == wanted),
            _ => false,
        },
        _ => false,
    }
}

/// Finds a claim by its name, or by the names of nested claims with dots in between.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(at, _)| {
        let nested = claims.get(&path[..at])?.as_object()?;
        find(nested, &path[at + 1..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Role;
    use serde_json::json;

    fn rule(claim: &str, equals: Option<&str>, contains: Option<&str>, role: Role) -> Rule {
        Rule {
            claim: claim.to_owned(),
            equals: equals.map(str::to_owned),
            contains: contains.map(str::to_owned),
            role,
            namespace: (role == Role::Operator).then(|| "acme".to_owned()),
        }
    }

    fn of(claims: Value) -> Result<Principal, Reason> {
        let settings = Oidc {
            rules: vec![
                rule("realm_access.roles", None, Some("ops"), Role::Operator),
                rule("scope", None, Some("read"), Role::Viewer),
                rule("https://a.example/admin", Some("true"), None, Role::Admin),
            ],
            ..Oidc::default()
        };
        principal(&settings, claims.as_object().expect("an object"))
    }

    #[test]
    fn each_rule_that_holds_gives_its_role() {
        let roles = |claims: Value| -> Vec<Role> {
            let principal = of(claims).expect("named");
            principal.grants.iter().map(|grant| grant.role).collect()
        };
        assert_eq!(roles(json!({"sub": "ada"})), []);
        let ops = json!({"sub": "ada", "realm_access": {"roles": ["a", "ops"]}, "scope": "x read"});
        assert_eq!(roles(ops), [Role::Operator, Role::Viewer]);
        let admin = json!({"sub": "ada", "https://a.example/admin": true});
        assert_eq!(roles(admin), [Role::Admin]);
        for none in [
            json!({"sub": "a", "realm_access": {"roles": "opsx"}}),
            json!({"sub": "a", "realm_access": {"roles": {"ops": true}}}),
            json!({"sub": "a", "realm_access": ["ops"]}),
            json!({"sub": "a", "realm_access.role": ["ops"]}),
            json!({"sub": "a", "scope": "reader read2 Read"}),
            json!({"sub": "a", "https://a.example/admin": ["true"]}),
            json!({"sub": "a", "https://a.example/admin": false}),
        ] {
            assert_eq!(roles(none.clone()), [], "{none}");
        }
        let principal = of(json!({"sub": "ada", "realm_access": {"roles": ["ops"]}}));
        let principal = principal.expect("named");
        assert_eq!(principal.name.as_deref(), Some("oidc:ada"));
        assert_eq!(principal.grants[0].namespace.as_deref(), Some("acme"));
    }

    #[test]
    fn a_caller_has_a_name_that_cannot_be_taken_for_another() {
        for wrong in [
            json!({}),
            json!({"sub": ""}),
            json!({"sub": 7}),
            json!({"sub": "ada/root"}),
            json!({"sub": "ada\n"}),
            json!({"sub": "x".repeat(201)}),
        ] {
            assert!(of(wrong.clone()).is_err(), "{wrong}");
        }
        let by_email = Oidc {
            name_claim: "email".to_owned(),
            ..Oidc::default()
        };
        let named =
            |claims: Value| principal(&by_email, claims.as_object().expect("an object")).is_ok();
        assert!(named(json!({"email": "a@b.c", "email_verified": true})));
        assert!(named(json!({"email": "a@b.c"})));
        assert!(!named(json!({"email": "a@b.c", "email_verified": false})));
        assert!(!named(json!({"email": "a@b.c", "email_verified": "false"})));
    }
}
