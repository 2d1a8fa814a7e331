//! Names that exports usually give to what a mapping knows, and the shape that goes with them.

use std::collections::BTreeSet;

use super::{SHAPE_SHARE, column::Typed};
use crate::shape::{plan::ValueType, profile::Column};

/// A name without case, blanks and punctuation.
pub fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The column with the first of these names that there is.
pub fn find(names: &[String], of: &[&str]) -> Option<usize> {
    of.iter().find_map(|name| names.iter().position(|found| found == name))
}

/// Names of a customer_id, in no order.
pub const IDS: &[&str] = &[
    "customerid",
    "custid",
    "custno",
    "customerno",
    "customernumber",
    "customer",
    "customerkey",
    "userid",
    "uid",
    "user",
    "userkey",
    "clientid",
    "clientno",
    "memberid",
    "memberno",
    "contactid",
    "subscriberid",
    "profileid",
    "shopperid",
    "moengageid",
];

/// Names that may be one, where there is none of those.
pub const MAYBE_IDS: &[&str] =
    &["id", "externalid", "extid", "accountid", "accountno", "personid", "guid", "uuid", "crmid"];

/// Names of an event's action, the likeliest first.
pub const ACTIONS: &[&str] =
    &["action", "eventname", "event", "actionname", "eventtype", "activity", "activityname"];

/// Names of an event's time, the likeliest first.
pub const TIMES: &[&str] = &[
    "usertime",
    "eventtime",
    "eventtimestamp",
    "timestamp",
    "eventdate",
    "eventdatetime",
    "occurredat",
    "eventat",
    "actiontime",
    "time",
    "ts",
    "datetime",
    "createdat",
    "createdon",
    "date",
];

/// Names of a device's id.
pub const DEVICE_IDS: &[&str] = &["deviceid", "deviceuuid", "deviceuniqueid"];

/// Names of a device's push token.
pub const PUSH_IDS: &[&str] = &[
    "pushid",
    "pushtoken",
    "devicetoken",
    "fcmtoken",
    "apnstoken",
    "gcmtoken",
    "registrationtoken",
    "registrationid",
    "token",
];

/// Names of a device's platform.
pub const PLATFORMS: &[&str] = &["platform", "deviceplatform", "os", "ostype", "osname"];

/// Names of a device's consent to pushes.
pub const PUSH_OPTED: &[&str] = &["moepushopted", "pushopted", "pushoptin", "pushenabled"];

/// A device's other attributes, and their names.
pub const DEVICE: &[(&str, &[&str])] = &[
    ("model", &["model", "devicemodel"]),
    ("app_version", &["appversion"]),
    ("os_version", &["osversion"]),
    ("moe_gaid", &["moegaid", "gaid", "advertisingid", "googleadvertisingid"]),
    ("idfv", &["idfv"]),
];

/// A standard attribute, the names that stand for it, and what its values look like.
pub struct Standard {
    /// MoEngage's name.
    pub name: &'static str,
    /// Other names, plain, the likeliest first.
    pub usual: &'static [&'static str],
    /// What its values look like.
    pub shape: Shape,
}

/// Standard attributes that are known by other names too.
pub const STANDARD: &[Standard] = &[
    Standard {
        name: "u_em",
        usual: &[
            "email",
            "emailaddress",
            "emailid",
            "mail",
            "useremail",
            "customeremail",
            "contactemail",
            "primaryemail",
        ],
        shape: Shape::Email,
    },
    Standard {
        name: "u_mb",
        usual: &[
            "mobile",
            "mobilenumber",
            "mobileno",
            "mobilephone",
            "phone",
            "phonenumber",
            "phoneno",
            "msisdn",
            "cell",
            "cellphone",
            "telephone",
            "tel",
            "contactnumber",
            "whatsappnumber",
        ],
        shape: Shape::Phone,
    },
    Standard {
        name: "u_fn",
        usual: &["firstname", "fname", "givenname", "forename", "vorname", "prenom"],
        shape: Shape::Name,
    },
    Standard {
        name: "u_ln",
        usual: &["lastname", "lname", "surname", "familyname", "nachname"],
        shape: Shape::Name,
    },
    Standard {
        name: "u_n",
        usual: &["fullname", "name", "customername", "displayname"],
        shape: Shape::Name,
    },
    Standard { name: "u_gd", usual: &["gender", "sex"], shape: Shape::Few },
    Standard {
        name: "u_bd",
        usual: &["birthday", "birthdate", "dateofbirth", "dob", "bday", "birth", "born"],
        shape: Shape::Date,
    },
];

/// What the values of a standard attribute look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// Words, and no addresses.
    Name,
    /// One of few words.
    Few,
    /// Dates in a format that can be read, or that is to be decided.
    Date,
}

impl Shape {
    /// What of the values does not fit, as a clause.
    pub fn misfit(self, column: &Column, typed: &Typed) -> Option<String> {
        let most = |count: u64| count * SHAPE_SHARE >= column.values * (SHAPE_SHARE - 1);
        let of = |count: u64, what: &str| match count {
            0 => format!("no value looks like {what}"),
            _ => format!("{count} of {} values look like {what}", column.values),
        };
        match self {
            Self::Email => (!most(column.emails)).then(|| of(column.emails, "an e-mail address")),
            Self::Phone => (!most(column.phones)).then(|| {
                let lost = if column.numbers.exponents > 0 {
                    "; some are in scientific notation, which has lost their digits"
                } else {
                    ""
                };
                format!("{}{lost}", of(column.phones, "a telephone number"))
            }),
            Self::Name if column.emails * 2 > column.values => {
                Some("the values are e-mail addresses".into())
            }
            Self::Name => (typed.value != ValueType::Text)
                .then(|| format!("the values are of type {}, not names", typed.value.as_str())),
            Self::Few => column.few.is_none().then(|| "there are more than a few values".into()),
            Self::Date => {
                let is_date =
                    matches!(typed.value, ValueType::DateTime(_)) || typed.ambiguous.is_some();
                (!is_date).then(|| "not all values are dates in one format that can be read".into())
            }
        }
    }
}

/// Pairs of words that mean true and false.
const WORDS: [(&str, &str); 8] = [
    ("yes", "no"),
    ("y", "n"),
    ("true", "false"),
    ("1", "0"),
    ("on", "off"),
    ("t", "f"),
    ("ja", "nein"),
    ("oui", "non"),
];

/// The words for true and for false among a few values, as they are written, where all are one
/// such pair.
pub fn words(few: &BTreeSet<String>) -> Option<(Vec<String>, Vec<String>)> {
    if few.len() < 2 {
        return None;
    }
    WORDS.iter().find_map(|(yes, no)| {
        let of = |word: &str| -> Vec<String> {
            few.iter().filter(|one| one.eq_ignore_ascii_case(word)).cloned().collect()
        };
        let (yes, no) = (of(yes), of(no));
        let is_pair = yes.len() + no.len() == few.len() && !yes.is_empty() && !no.is_empty();
        is_pair.then_some((yes, no))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_blanks_and_punctuation() {
        for (name, expected) in [
            ("Customer ID", "customerid"),
            ("E-Mail_Address", "emailaddress"),
            ("Prénom", "prénom"),
            ("__", ""),
        ] {
            assert_eq!(plain(name), expected);
        }
        let names = ["date", "ts"].map(str::to_owned);
        assert_eq!(find(&names, TIMES), Some(1), "in the order of likelihood");
    }

    #[test]
    fn pairs_of_words() {
        let few = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let (yes, no) = words(&few(&["Y", "n", "N"])).expect("a pair");
        assert_eq!((yes, no), (vec!["Y".to_owned()], vec!["N".to_owned(), "n".to_owned()]));
        for words_of in
            [&["yes"][..], &["yes", "maybe"], &["yes", "no", "maybe"], &["1", "no"], &[]]
        {
            assert_eq!(words(&few(words_of)), None, "{words_of:?}");
        }
    }
}
