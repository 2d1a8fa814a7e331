//! What somebody probably meant who wrote something else.

/// How alike two names must be (Jaro-Winkler), 0 to 1, for one to be suggested.
const ALIKE_MIN: f64 = 0.84;

/// `; did you mean `x`?` for the name that is most like the one written, or nothing.
pub fn did_you_mean<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace([' ', '_', '-'], "");
    let written = plain(written);
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&written, &plain(name)), name))
        .filter(|&(alike, _)| alike >= ALIKE_MIN)
        // Of equals the first by name, so that messages do not depend on a map's order.
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_or_none() {
        let names = ["email", "customer_id", "First Name"];
        assert_eq!(nearest("emial", names), Some("email"));
        assert_eq!(nearest("first_name", names), Some("First Name"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(did_you_mean("customer-id", names), "; did you mean `customer_id`?");
    }
}
