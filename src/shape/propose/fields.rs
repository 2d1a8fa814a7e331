//! The own fields of events and devices, by usual names, where the values are such as the API takes.

use super::{Becomes, Proposal, column::Typed, names};
use crate::shape::{plan::ValueType, profile::Profile};
use crate::wire::{limits, names::DEVICE_ATTRIBUTES};

impl Proposal {
    /// Gives an event its own fields.
    pub(super) fn event_fields(&mut self, profile: &Profile, names: &[String], typed: &[Typed]) {
        match self.free(names, "action", names::ACTIONS) {
            Some(at) => self.field(at, "action"),
            None if self.event.is_none() => {
                let what = "what are the events named? Write event = \"…\" in place of this line, or { to = \
                            \"action\" } at a column";
                self.decide.get_or_insert_with(|| what.into());
            }
            None => {}
        }
        for (field, of) in [("user_time", names::TIMES), ("current_time", &["currenttime"])] {
            let Some(at) = self.free(names, field, of) else { continue };
            match typed[at].time_trouble(&profile.columns[at]) {
                None => {
                    let is_date = matches!(self.columns[at].value, ValueType::DateTime(_));
                    self.columns[at].becomes = Becomes::Field(field);
                    if !is_date {
                        self.columns[at].value = ValueType::Text;
                    }
                }
                Some(trouble) => {
                    self.columns[at].notes.push(format!("not proposed as {field}: {trouble}"))
                }
            }
        }
        if let Some(at) = self.free(names, "platform", &["platform"]) {
            self.listed(at, "platform", &limits::EVENT_PLATFORMS, profile);
        }
        for (field, of) in [("app_version", &["appversion"][..]), ("device_id", names::DEVICE_IDS)]
        {
            if let Some(at) = self.free(names, field, of) {
                self.field(at, field);
            }
        }
        let offsets = ["usertimezoneoffset", "timezoneoffset", "tzoffset", "utcoffset"];
        if let Some(at) = self.free(names, "user_timezone_offset", &offsets) {
            let most = limits::TIMEZONE_OFFSET_SECONDS_MAX as f64;
            let numbers = &profile.columns[at].numbers;
            let in_range = |(least, most_found): &((f64, String), (f64, String))| {
                least.0 >= -most && most_found.0 <= most
            };
            if numbers.whole == profile.columns[at].values
                && numbers.range.as_ref().is_some_and(in_range)
            {
                self.field(at, "user_timezone_offset");
            } else {
                self.columns[at].notes.push(format!(
                    "not proposed as user_timezone_offset, which is in seconds, -{most} to {most}"
                ));
            }
        }
    }

    /// Gives a device its own fields and attributes; the API drops others.
    pub(super) fn device_fields(&mut self, profile: &Profile, names: &[String]) {
        for (field, of) in [("device_id", names::DEVICE_IDS), ("push_id", names::PUSH_IDS)] {
            match self.free(names, field, of) {
                Some(at) => self.field(at, field),
                None => self.lacks(field),
            }
        }
        match self.free(names, "platform", names::PLATFORMS) {
            Some(at) => self.field(at, "platform"),
            None => self.lacks("platform"),
        }
        if let Some(at) = self.free(names, "moe_push_opted", names::PUSH_OPTED) {
            self.listed(at, "moe_push_opted", &limits::PUSH_OPTED, profile);
        }
        for (attribute, of) in names::DEVICE {
            if let Some(at) = self.free(names, attribute, of) {
                self.columns[at].becomes = Becomes::Attribute((*attribute).to_owned());
                self.columns[at].text();
            }
        }
        for column in &mut self.columns {
            if let Becomes::Attribute(name) = &column.becomes
                && !DEVICE_ATTRIBUTES.contains(&name.as_str())
                && column.decide.is_none()
            {
                column.becomes = Becomes::Skip;
                column.notes.clear();
                column.notes.push("no attribute of a device, which the API would drop".into());
            }
        }
    }

    fn lacks(&mut self, field: &str) {
        let what = format!(
            "which column is the {field} of the device? The API requires it: write {{ to = \"{field}\" }} at one, or \
             {field} = \"…\" below [constants], and delete this line"
        );
        self.decide.get_or_insert(what);
    }

    fn field(&mut self, at: usize, field: &'static str) {
        self.columns[at].becomes = Becomes::Field(field);
        self.columns[at].text();
    }

    /// A field whose values the API lists.
    fn listed(&mut self, at: usize, field: &'static str, allowed: &[&str], profile: &Profile) {
        let few = profile.columns[at].few.as_ref();
        if few.is_some_and(|few| few.iter().all(|value| allowed.contains(&value.as_str()))) {
            self.field(at, field);
        } else {
            let text = format!("not proposed as {field}, which is one of {}", allowed.join(", "));
            self.columns[at].notes.push(text);
        }
    }
}
