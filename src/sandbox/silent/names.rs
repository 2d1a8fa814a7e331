//! Names of attributes and events: which are kept, under which name, and which have a meaning.

use std::borrow::Cow;

use serde_json::Value;

use super::super::dropped::{Changes, Did};

/// Data API, U: characters kept of an attribute's or event's name.
const NAME_CHARS_MAX: usize = 200;

/// Data API, U: names that are dropped.
const BLOCKED: [&str; 3] = ["", "id", "_id"];

/// Data API, U: the prefix of names that get blacklisted, but for the documented ones.
const RESERVED_PREFIX: &str = "moe_";

/// Data API, U: the documented names with that prefix: standard user attributes, and the one that
/// identity resolution takes as identifier.
const RESERVED_PREFIX_DOCUMENTED: [&str; 10] = [
    "moe_wa_subscription",
    "moe_em_unsub_categories",
    "moe_sub_w",
    "moe_spam",
    "moe_unsubscribe",
    "moe_hard_bounce",
    "moe_sms_subscription",
    "moe_email_optin_status",
    "moe_gaid",
    "moe_mobile",
];

/// Data API, U: names that should not be used.
const RESERVED: [&str; 21] = [
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

/// Data API, U: standard user attributes that hold text.
const STANDARD_TEXTS: [&str; 13] = [
    "u_n",
    "u_fn",
    "u_ln",
    "u_gd",
    "u_em",
    "u_mb",
    "uid",
    "moe_sms_subscription",
    "moe_email_optin_status",
    "publisher_name",
    "campaign_name",
    "moe_gaid",
    "advertising_identifier",
];

/// Data API, U: the texts that are documented for `moe_email_optin_status`. What becomes of another
/// one is not.
const EMAIL_OPTIN_STATUS: [&str; 3] = ["DOUBLE_OPTED_IN", "OPTED_OUT", "OPT_IN_PENDING"];

/// Data API, U: standard user attributes that can be created and not updated.
const CREATE_ONLY: [&str; 6] =
    ["publisher_name", "campaign_name", "u_l_a", "cr_t", "moe_gaid", "advertising_identifier"];

/// Data API, U: the attributes that a device has; unknown ones are dropped.
pub(super) const DEVICE_ATTRIBUTES: [&str; 8] = [
    "platform",
    "push_id",
    "model",
    "app_version",
    "os_version",
    "moe_push_opted",
    "moe_gaid",
    "idfv",
];

/// Whether a text is documented for a user attribute, where the documentation lists any; of another
/// type more is wrong.
pub(super) fn may_have(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) if name == "moe_email_optin_status" => {
            EMAIL_OPTIN_STATUS.contains(&text.as_str())
        }
        _ => true,
    }
}

/// Whether a standard user attribute holds text.
pub(super) fn is_standard_text(name: &str) -> bool {
    STANDARD_TEXTS.contains(&name)
}

/// Whether a user attribute keeps its first value.
pub(in super::super) fn is_create_only(name: &str) -> bool {
    CREATE_ONLY.contains(&name)
}

/// The name that an attribute is stored under; `None` where it is left out.
pub(super) fn attribute<'a>(name: &'a str, changes: &mut Changes) -> Option<Cow<'a, str>> {
    if !is_free(name, name, changes) {
        return None;
    }
    Some(truncated(Cow::Borrowed(name), changes))
}

/// The name that an event is stored under; `None` where it is left out.
pub(super) fn event<'a>(name: &'a str, changes: &mut Changes) -> Option<Cow<'a, str>> {
    let kept = if name.contains('.') {
        changes.note("event-name-dot", name, Did::Renamed, "a dot in an event's name is a space");
        Cow::Owned(name.replace('.', " "))
    } else {
        Cow::Borrowed(name)
    };
    if !is_free(name, &kept, changes) {
        return None;
    }
    Some(truncated(kept, changes))
}

fn is_free(arrived: &str, name: &str, changes: &mut Changes) -> bool {
    if BLOCKED.contains(&name) {
        changes.note("name-blocked", arrived, Did::Dropped, "`id`, `_id` and empty names");
        return false;
    }
    if name.starts_with(RESERVED_PREFIX) && !RESERVED_PREFIX_DOCUMENTED.contains(&name) {
        let message = "the prefix `moe_` is reserved, such names get blacklisted";
        changes.note("name-moe-prefix", arrived, Did::Blacklisted, message);
        return false;
    }
    if RESERVED.contains(&name) {
        changes.note("name-reserved", arrived, Did::Kept, "a reserved name should not be used");
    }
    true
}

fn truncated<'a>(name: Cow<'a, str>, changes: &mut Changes) -> Cow<'a, str> {
    let Some((end, _)) = name.char_indices().nth(NAME_CHARS_MAX) else { return name };
    let message = format!("a name has at most {NAME_CHARS_MAX} characters");
    changes.note("name-length", &name, Did::Truncated, message);
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[..end]),
        Cow::Owned(mut name) => {
            name.truncate(end);
            Cow::Owned(name)
        }
    }
}
