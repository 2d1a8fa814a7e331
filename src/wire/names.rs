//! Names with a documented meaning (Data API, U: standard user attributes; reserved names;
//! element fields).

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
pub const STANDARD_ATTRIBUTES: [(&str, StandardType); 20] = [
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
    ("publisher_name", StandardType::Text),
    ("campaign_name", StandardType::Text),
    ("advertising_identifier", StandardType::Text),
];

/// What `moe_email_optin_status` of a user may be.
const EMAIL_OPTIN_STATUS: [&str; 3] = ["DOUBLE_OPTED_IN", "OPTED_OUT", "OPT_IN_PENDING"];

/// Documented names whose type is left open, and the identifier that identity resolution
/// has as its example.
const DOCUMENTED_UNTYPED: [&str; 4] = ["moe_em_unsub_categories", "u_l_a", "cr_t", "moe_mobile"];

/// Attributes of a device, in the order of the documentation; the server drops others.
pub const DEVICE_ATTRIBUTES: [&str; 8] = [
    "platform",
    "push_id",
    "model",
    "app_version",
    "os_version",
    "moe_push_opted",
    "moe_gaid",
    "idfv",
];

/// Names that the server drops.
pub const BLOCKED: [&str; 3] = ["id", "_id", ""];

/// The prefix of MoEngage's own names.
pub const OWN_PREFIX: &str = "moe_";

/// Names that should not be used.
pub const RESERVED: [&str; 21] = [
    "USER_ATTRIBUTE_UNIQUE_ID",
    "USER_ATTRIBUTE_USER_EMAIL",
    "USER_ATTRIBUTE_USER_MOBILE",
    "USER_ATTRIBUTE_USER_NAME",
    "USER_ATTRIBUTE_USER_GENDER",
    "USER_ATTRIBUTE_USER_FIRST_NAME",
    "USER_ATTRIBUTE_USER_LAST_NAME",
    "USER_ATTRIBUTE_USER_BDAY",
    "USER_ATTRIBUTE_NOTIFICATION_PREF",
    "USER_ATTRIBUTE_OLD_ID",
    "MOE_TIME_FORMAT",
    "MOE_TIME_TIMEZONE",
    "USER_ATTRIBUTE_DND_START_TIME",
    "USER_ATTRIBUTE_DND_END_TIME",
    "MOE_GAID",
    "INSTALL",
    "UPDATE",
    "MOE_ISLAT",
    "status",
    "user_id",
    "source",
];

/// What is to be said of an attribute's or an event's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameVerdict {
    /// The server takes it.
    Allowed,
    /// The server drops it: one of [`BLOCKED`].
    Blocked,
    /// One of [`RESERVED`].
    Reserved,
    /// It begins with [`OWN_PREFIX`] and is not documented.
    OwnPrefix,
}

/// Judges a name by the letter of the rules; its length is another matter.
pub fn judge(name: &str) -> NameVerdict {
    if BLOCKED.contains(&name) {
        NameVerdict::Blocked
    } else if RESERVED.contains(&name) {
        NameVerdict::Reserved
    } else if name.starts_with(OWN_PREFIX) && !is_documented(name) {
        NameVerdict::OwnPrefix
    } else {
        NameVerdict::Allowed
    }
}

fn is_documented(name: &str) -> bool {
    standard_type(name).is_some() || DOCUMENTED_UNTYPED.contains(&name)
}

/// The values that the documentation lists for a standard user attribute, where it does.
pub fn standard_values(attribute: &str) -> Option<&'static [&'static str]> {
    (attribute == "moe_email_optin_status").then_some(EMAIL_OPTIN_STATUS.as_slice())
}

/// The fixed type of a standard user attribute.
pub fn standard_type(attribute: &str) -> Option<StandardType> {
    STANDARD_ATTRIBUTES.iter().find(|(name, _)| *name == attribute).map(|&(_, ty)| ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_the_letter() {
        for (name, verdict) in [
            ("city", NameVerdict::Allowed),
            ("moe_sub_w", NameVerdict::Allowed),
            ("moe_em_unsub_categories", NameVerdict::Allowed),
            ("cr_t", NameVerdict::Allowed),
            ("moe_mobile", NameVerdict::Allowed),
            ("moe_vip", NameVerdict::OwnPrefix),
            ("Moe_vip", NameVerdict::Allowed),
            ("id", NameVerdict::Blocked),
            ("_id", NameVerdict::Blocked),
            ("", NameVerdict::Blocked),
            ("ID", NameVerdict::Allowed),
            ("source", NameVerdict::Reserved),
            ("MOE_GAID", NameVerdict::Reserved),
        ] {
            assert_eq!(judge(name), verdict, "{name:?}");
        }
    }
}
