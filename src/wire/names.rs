//! Names with a documented meaning (Data API, U: standard user attributes; element fields).

/// The type that the documentation gives a standard user attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardType {
    /// Text.
    Text,
    /// `true` or `false`.
    Bool,
    /// ISO 8601 date or date-time.
    DateTime,
}

/// Standard user attributes with a fixed type. A value of another type breaks
/// dashboard pages, so these types are not inferred.
pub const STANDARD_ATTRIBUTES: [(&str, StandardType); 17] = [
    ("u_n", StandardType::Text),
    ("u_fn", StandardType::Text),
    ("u_ln", StandardType::Text),
    ("u_gd", StandardType::Text),
    ("u_em", StandardType::Text),
    ("u_mb", StandardType::Text),
    ("u_bd", StandardType::DateTime),
    ("uid", StandardType::Text),
    ("moe_wa_subscription", StandardType::Bool),
    ("moe_sub_w", StandardType::Bool),
    ("moe_spam", StandardType::Bool),
    ("moe_unsubscribe", StandardType::Bool),
    ("moe_hard_bounce", StandardType::Bool),
    ("moe_sms_subscription", StandardType::Text),
    ("moe_email_optin_status", StandardType::Text),
    ("push_preference", StandardType::Bool),
    ("moe_gaid", StandardType::Text),
];

/// The fixed type of a standard user attribute.
pub fn standard_type(attribute: &str) -> Option<StandardType> {
    STANDARD_ATTRIBUTES.iter().find(|(name, _)| *name == attribute).map(|&(_, ty)| ty)
}
