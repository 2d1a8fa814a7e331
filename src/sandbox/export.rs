//! The Get User API, `POST customers/export`: what was stored, read back.
//!
//! The request: `{"identifiers":[{"identifier_type":"customer_id","identifier":"…"}, …],
//! "user_fields_to_export":["u_n", …]}`, with 1 to 20 identifiers; without fields all are answered.
//! The answer: `{"status":"success","type":"export_users","data":{"users":[{"user_attributes":{…}}],
//! "users_not_found":[{"identifier_type":"customer_id","identifier":"…"}]}}`, users in the order
//! asked, each with its merged attributes and, unless fields say otherwise, its `customer_id`.
//!
//! The emulator knows the identifier type `customer_id` only.

use serde_json::{Map, Value, json};

use super::replies::Refusal;
use super::users::Users;

/// Data API, U: ids of one call.
const IDENTIFIERS_MAX: usize = 20;

/// The ids that are asked for.
///
/// # Errors
/// `MissingAttributeError`, in the API's words, where the request has another shape.
pub(super) fn identifiers(request: &Value) -> Result<Vec<&str>, Refusal> {
    let wrong = |message: &str| Refusal::missing_attribute(message.to_owned());
    let Some(Value::Array(identifiers)) = request.get("identifiers") else {
        return Err(wrong("identifiers is expected to be list"));
    };
    if identifiers.is_empty() || identifiers.len() > IDENTIFIERS_MAX {
        return Err(wrong("identifiers is expected to be list of 1 to 20"));
    }
    let ids = identifiers.iter().map(|one| {
        if one.get("identifier_type").and_then(Value::as_str) != Some("customer_id") {
            return Err(wrong("identifier_type is expected to be customer_id"));
        }
        let id = one.get("identifier").and_then(Value::as_str);
        id.ok_or_else(|| wrong("identifier is expected to be str"))
    });
    let ids = ids.collect::<Result<_, _>>()?;
    match request.get("user_fields_to_export") {
        None => Ok(ids),
        Some(Value::Array(fields)) if fields.iter().all(Value::is_string) => Ok(ids),
        Some(_) => Err(wrong("user_fields_to_export is expected to be list of str")),
    }
}

/// The answer to a request that has these `ids`.
pub(super) fn answer(request: &Value, ids: &[&str], users: &Users) -> String {
    let fields = request.get("user_fields_to_export").and_then(Value::as_array);
    let is_asked = |name: &str| fields.is_none_or(|fields| fields.iter().any(|it| it == name));
    let (mut found, mut not_found) = (Vec::new(), Vec::new());
    for id in ids {
        match users.attributes(id) {
            Some(attributes) => {
                let asked = attributes.into_iter().filter(|(name, _)| is_asked(name));
                found.push(json!({"user_attributes": asked.collect::<Map<_, _>>()}));
            }
            None => not_found.push(json!({"identifier_type": "customer_id", "identifier": id})),
        }
    }
    json!({
        "status": "success",
        "type": "export_users",
        "data": {"users": found, "users_not_found": not_found},
    })
    .to_string()
}
